-- Aggregates that compare predictions with the truth, which comes first, to
-- the numbers of sklearn.metrics. The functions whose names begin with _ are theirs.

-- Classes: the state counts pairs of true and predicted labels.

CREATE FUNCTION smartpouch._confusion_add(internal, anycompatible, anycompatible)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_add';
COMMENT ON FUNCTION smartpouch._confusion_add(internal, anycompatible, anycompatible) IS
	'transition: counts a true and a predicted label';

CREATE FUNCTION smartpouch._confusion_add(internal, anycompatible, anycompatible, text)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_add';
COMMENT ON FUNCTION smartpouch._confusion_add(internal, anycompatible, anycompatible, text) IS
	'transition: counts a true and a predicted label';

CREATE FUNCTION smartpouch._confusion_merge(internal, internal)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_merge';
COMMENT ON FUNCTION smartpouch._confusion_merge(internal, internal) IS
	'combines counts of labels';

CREATE FUNCTION smartpouch._confusion_write(internal)
	RETURNS bytea LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_write';
COMMENT ON FUNCTION smartpouch._confusion_write(internal) IS
	'serializes counts of labels';

CREATE FUNCTION smartpouch._confusion_read(bytea, internal)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_read';
COMMENT ON FUNCTION smartpouch._confusion_read(bytea, internal) IS
	'deserializes counts of labels';

CREATE FUNCTION smartpouch._accuracy(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_accuracy';
COMMENT ON FUNCTION smartpouch._accuracy(internal) IS
	'final: accuracy';

CREATE FUNCTION smartpouch._balanced_accuracy(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_balanced_accuracy';
COMMENT ON FUNCTION smartpouch._balanced_accuracy(internal) IS
	'final: balanced accuracy';

CREATE FUNCTION smartpouch._precision(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_precision';
COMMENT ON FUNCTION smartpouch._precision(internal) IS
	'final: precision';

CREATE FUNCTION smartpouch._recall(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_recall';
COMMENT ON FUNCTION smartpouch._recall(internal) IS
	'final: recall';

CREATE FUNCTION smartpouch._f1(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_f1';
COMMENT ON FUNCTION smartpouch._f1(internal) IS
	'final: f1';

CREATE FUNCTION smartpouch._confusion_matrix(internal)
	RETURNS jsonb LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_matrix';
COMMENT ON FUNCTION smartpouch._confusion_matrix(internal) IS
	'final: confusion matrix';

CREATE FUNCTION smartpouch._classification_report(internal)
	RETURNS jsonb LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_classification_report';
COMMENT ON FUNCTION smartpouch._classification_report(internal) IS
	'final: classification report';

CREATE AGGREGATE smartpouch.accuracy(truth anycompatible, predicted anycompatible) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._accuracy,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.accuracy(truth anycompatible, predicted anycompatible) IS
	'share of rows with the right label';

CREATE AGGREGATE smartpouch.balanced_accuracy(truth anycompatible, predicted anycompatible) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._balanced_accuracy,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.balanced_accuracy(truth anycompatible, predicted anycompatible) IS
	'mean of the recalls of all true labels';

CREATE AGGREGATE smartpouch.precision_score(truth anycompatible, predicted anycompatible, average text) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._precision,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.precision_score(truth anycompatible, predicted anycompatible, average text) IS
	'precision: mean over labels (macro), of all rows (micro) or weighted by rows (weighted)';

CREATE AGGREGATE smartpouch.recall_score(truth anycompatible, predicted anycompatible, average text) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._recall,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.recall_score(truth anycompatible, predicted anycompatible, average text) IS
	'recall: mean over labels (macro), of all rows (micro) or weighted by rows (weighted)';

CREATE AGGREGATE smartpouch.f1_score(truth anycompatible, predicted anycompatible, average text) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._f1,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.f1_score(truth anycompatible, predicted anycompatible, average text) IS
	'F1: mean over labels (macro), of all rows (micro) or weighted by rows (weighted)';

CREATE AGGREGATE smartpouch.confusion_matrix(truth anycompatible, predicted anycompatible) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._confusion_matrix,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.confusion_matrix(truth anycompatible, predicted anycompatible) IS
	'labels, and counts with a row for each true and a column for each predicted label';

CREATE AGGREGATE smartpouch.classification_report(truth anycompatible, predicted anycompatible) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._classification_report,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.classification_report(truth anycompatible, predicted anycompatible) IS
	'accuracy, averages, and precision, recall, F1 and rows of each label';

-- Scores of two classes.

CREATE FUNCTION smartpouch._ranking_add(internal, boolean, double precision)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_add';
COMMENT ON FUNCTION smartpouch._ranking_add(internal, boolean, double precision) IS
	'transition: keeps a score';

CREATE FUNCTION smartpouch._ranking_add(internal, integer, double precision)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_add';
COMMENT ON FUNCTION smartpouch._ranking_add(internal, integer, double precision) IS
	'transition: keeps a score';

CREATE FUNCTION smartpouch._ranking_merge(internal, internal)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_merge';
COMMENT ON FUNCTION smartpouch._ranking_merge(internal, internal) IS
	'combines scores';

CREATE FUNCTION smartpouch._ranking_write(internal)
	RETURNS bytea LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_write';
COMMENT ON FUNCTION smartpouch._ranking_write(internal) IS
	'serializes scores';

CREATE FUNCTION smartpouch._ranking_read(bytea, internal)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_read';
COMMENT ON FUNCTION smartpouch._ranking_read(bytea, internal) IS
	'deserializes scores';

CREATE FUNCTION smartpouch._roc_auc(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_roc_auc';
COMMENT ON FUNCTION smartpouch._roc_auc(internal) IS
	'final: area under the ROC curve';

CREATE AGGREGATE smartpouch.roc_auc(truth boolean, score double precision) (
	SFUNC = smartpouch._ranking_add, STYPE = internal, FINALFUNC = smartpouch._roc_auc,
	COMBINEFUNC = smartpouch._ranking_merge, SERIALFUNC = smartpouch._ranking_write,
	DESERIALFUNC = smartpouch._ranking_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.roc_auc(truth boolean, score double precision) IS
	'area under the ROC curve; NULL unless both classes occur';

CREATE AGGREGATE smartpouch.roc_auc(truth integer, score double precision) (
	SFUNC = smartpouch._ranking_add, STYPE = internal, FINALFUNC = smartpouch._roc_auc,
	COMBINEFUNC = smartpouch._ranking_merge, SERIALFUNC = smartpouch._ranking_write,
	DESERIALFUNC = smartpouch._ranking_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.roc_auc(truth integer, score double precision) IS
	'area under the ROC curve; NULL unless both classes occur';

-- Numbers: the state is an array of sums.

CREATE FUNCTION smartpouch._errors_add(double precision[], double precision, double precision)
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_errors_add';
COMMENT ON FUNCTION smartpouch._errors_add(double precision[], double precision, double precision) IS
	'transition: adds the error of a row';

CREATE FUNCTION smartpouch._errors_merge(double precision[], double precision[])
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_errors_merge';
COMMENT ON FUNCTION smartpouch._errors_merge(double precision[], double precision[]) IS
	'combines sums of errors';

CREATE FUNCTION smartpouch._mae(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_mae';
COMMENT ON FUNCTION smartpouch._mae(double precision[]) IS
	'final: mean absolute error';

CREATE AGGREGATE smartpouch.mae(truth double precision, predicted double precision) (
	SFUNC = smartpouch._errors_add, STYPE = double precision[], INITCOND = '{0,0,0,0,0,0,0}',
	FINALFUNC = smartpouch._mae, COMBINEFUNC = smartpouch._errors_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.mae(truth double precision, predicted double precision) IS
	'mean absolute error';

CREATE FUNCTION smartpouch._rmse(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_rmse';
COMMENT ON FUNCTION smartpouch._rmse(double precision[]) IS
	'final: root mean squared error';

CREATE AGGREGATE smartpouch.rmse(truth double precision, predicted double precision) (
	SFUNC = smartpouch._errors_add, STYPE = double precision[], INITCOND = '{0,0,0,0,0,0,0}',
	FINALFUNC = smartpouch._rmse, COMBINEFUNC = smartpouch._errors_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.rmse(truth double precision, predicted double precision) IS
	'root mean squared error';

CREATE FUNCTION smartpouch._mape(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_mape';
COMMENT ON FUNCTION smartpouch._mape(double precision[]) IS
	'final: mean absolute percentage error';

CREATE AGGREGATE smartpouch.mape(truth double precision, predicted double precision) (
	SFUNC = smartpouch._errors_add, STYPE = double precision[], INITCOND = '{0,0,0,0,0,0,0}',
	FINALFUNC = smartpouch._mape, COMBINEFUNC = smartpouch._errors_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.mape(truth double precision, predicted double precision) IS
	'mean absolute percentage error, as a fraction';

CREATE FUNCTION smartpouch._r2(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_r2';
COMMENT ON FUNCTION smartpouch._r2(double precision[]) IS
	'final: coefficient of determination';

CREATE AGGREGATE smartpouch.r2(truth double precision, predicted double precision) (
	SFUNC = smartpouch._errors_add, STYPE = double precision[], INITCOND = '{0,0,0,0,0,0,0}',
	FINALFUNC = smartpouch._r2, COMBINEFUNC = smartpouch._errors_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.r2(truth double precision, predicted double precision) IS
	'coefficient of determination';

-- Log loss: the state is the number of rows and the sum.

CREATE FUNCTION smartpouch._log_loss_add(double precision[], text, double precision[], text[])
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_log_loss_add';
COMMENT ON FUNCTION smartpouch._log_loss_add(double precision[], text, double precision[], text[]) IS
	'transition: adds the loss of a row';

CREATE FUNCTION smartpouch._log_loss_add(double precision[], boolean, double precision)
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_log_loss_add_binary';
COMMENT ON FUNCTION smartpouch._log_loss_add(double precision[], boolean, double precision) IS
	'transition: adds the loss of a row';

CREATE FUNCTION smartpouch._log_loss_merge(double precision[], double precision[])
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_log_loss_merge';
COMMENT ON FUNCTION smartpouch._log_loss_merge(double precision[], double precision[]) IS
	'combines sums of losses';

CREATE FUNCTION smartpouch._log_loss(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_log_loss';
COMMENT ON FUNCTION smartpouch._log_loss(double precision[]) IS
	'final: log loss';

CREATE AGGREGATE smartpouch.log_loss(truth text, probabilities double precision[], labels text[]) (
	SFUNC = smartpouch._log_loss_add, STYPE = double precision[], INITCOND = '{0,0}',
	FINALFUNC = smartpouch._log_loss, COMBINEFUNC = smartpouch._log_loss_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.log_loss(truth text, probabilities double precision[], labels text[]) IS
	'mean of -ln of the probability that was given to the truth';

CREATE AGGREGATE smartpouch.log_loss(truth boolean, probability double precision) (
	SFUNC = smartpouch._log_loss_add, STYPE = double precision[], INITCOND = '{0,0}',
	FINALFUNC = smartpouch._log_loss, COMBINEFUNC = smartpouch._log_loss_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.log_loss(truth boolean, probability double precision) IS
	'mean of -ln of the probability that was given to the truth';
