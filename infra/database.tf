# Roles, users, schemas and grants in the database. make deploy runs the procedure through the Data API after an apply, if
# it has changed or the namespace is new, and waits for its result: deploy/database.py.

locals {
  access_procedure = templatefile("${path.module}/sql/grant_access.sql", {
    database         = var.database
    raw_schemas      = [for name in keys(var.sources) : "raw_${name}"]
    loader_user      = local.database_users.loader
    transformer_user = local.database_users.transformer
  })
}
