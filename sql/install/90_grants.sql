-- Functions are executable by everybody unless that is taken away; tables and
-- the schema are not. Administrators grant what they mean to.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA smartpouch FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA smartpouch FROM PUBLIC;
