"""Push trained models into PostgreSQL's smartpouch extension, and predict with them."""

from smartpouch.calls import predict, predict_json, predict_label, predict_proba, promote
from smartpouch.errors import InvalidRows, ModelRefused, ParityError, SmartpouchError, UnsupportedModel
from smartpouch.pushing import Pushed, push
from smartpouch.rows import category_codes

__all__ = [
    "InvalidRows",
    "ModelRefused",
    "ParityError",
    "Pushed",
    "SmartpouchError",
    "UnsupportedModel",
    "category_codes",
    "predict",
    "predict_json",
    "predict_label",
    "predict_proba",
    "promote",
    "push",
]
__version__ = "0.1.0"
