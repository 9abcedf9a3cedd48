terraform {
  # 1.11 has write-only attributes, which keep secrets out of the state
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.26 does not read back a write-only secret, so CI's role needs no permission for it
      version = "~> 6.26"
    }
  }

  # The bucket and the key are given at init: see README.md.
  backend "s3" {}
}

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ project = var.name }, var.tags)
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  arn_prefix = {
    for service in ["cloudwatch", "ecs", "events", "logs", "redshift", "redshift-serverless", "scheduler", "states"] :
    service => "arn:${local.partition}:${service}:${var.region}:${local.account}"
  }
  # Built from names, because references would form a cycle: the policy of a role names the resource that uses the role.
  arn = {
    state_machine  = "${local.arn_prefix.states}:stateMachine:${var.name}"
    schedule_group = "${local.arn_prefix.scheduler}:schedule-group/${var.name}"
  }
}
