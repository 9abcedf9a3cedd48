# Removes the protection of the data. `make destroy` copies this file next to the others for as long as it runs, and
# `make infra-check` does so in its copy, because Terraform's tests destroy what they create. A test compares it with the
# resources that have prevent_destroy.

resource "aws_kms_key" "this" {
  lifecycle {
    prevent_destroy = false
  }
}

resource "aws_s3_bucket" "this" {
  lifecycle {
    prevent_destroy = false
  }
}

resource "aws_redshiftserverless_namespace" "this" {
  lifecycle {
    prevent_destroy = false
  }
}
