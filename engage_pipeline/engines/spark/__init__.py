"""The second engine: the same .sql files on Spark. Needs the extra `spark` and Java; imported only when in use."""
