# The two tasks: one image, one container, a role for each task.

locals {
  container_name = "pipeline"
  urls = {
    landing   = "s3://${aws_s3_bucket.this["landing"].id}/landing"
    artifacts = "s3://${aws_s3_bucket.this["artifacts"].id}"
    docs      = "s3://${aws_s3_bucket.this["artifacts"].id}/docs/index.html"
  }

  # Names as in .env.example
  environment = {
    DBT_TARGET         = "prod"
    DEPLOYMENT         = var.name
    REDSHIFT_HOST      = aws_redshiftserverless_workgroup.this.endpoint[0].address
    REDSHIFT_PORT      = "5439"
    REDSHIFT_DATABASE  = var.database
    REDSHIFT_WORKGROUP = aws_redshiftserverless_workgroup.this.workgroup_name
    REDSHIFT_COPY_ROLE = aws_iam_role.this["copy"].arn
    LANDING_URL        = local.urls.landing
    AWS_REGION         = var.region
    # The root file system is read-only: everything is written to the volume.
    EXTRACT_WORK    = "/scratch/extract"
    DBT_TARGET_PATH = "/scratch/target"
    DBT_LOG_PATH    = "/scratch/logs"
    HOME            = "/scratch"
    TMPDIR          = "/scratch"
  }
  tasks = {
    loader = {
      environment = merge(local.source_environment, { REDSHIFT_USER = local.database_users.loader })
      secrets     = { for name, secret in aws_secretsmanager_secret.source : name => secret.arn }
    }
    transformer = {
      environment = {
        REDSHIFT_USER = local.database_users.transformer
        ARTIFACTS_URL = local.urls.artifacts
        # For dbt's log file, which is published; dbt prints nothing to the terminal.
        DBT_LOG_LEVEL_FILE = "debug"
      }
      secrets = {}
    }
  }
}

resource "aws_cloudwatch_log_group" "tasks" {
  name              = "/${var.name}/tasks"
  retention_in_days = var.log_retention_days
  kms_key_id        = aws_kms_key.this.arn
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  # Container Insights is billed per metric, and its log group has no retention and outlives the cluster. A task that
  # ran out of memory shows it without Container Insights, in the reason why it stopped.
  setting {
    name  = "containerInsights"
    value = "disabled"
  }
}

resource "aws_ecs_task_definition" "this" {
  for_each                 = local.tasks
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.task_cpu
  memory                   = var.task_memory
  task_role_arn            = aws_iam_role.this[each.key].arn
  execution_role_arn       = aws_iam_role.this["task_execution"].arn
  # A run uses the revisions that it started with: a deployment during the run must not remove them.
  skip_destroy = true

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.task_architecture
  }

  ephemeral_storage {
    size_in_gib = var.task_scratch_gib
  }

  volume {
    name = "scratch"
  }

  container_definitions = jsonencode([{
    name                   = local.container_name
    image                  = "${aws_ecr_repository.this.repository_url}:${var.image_tag}"
    essential              = true
    readonlyRootFilesystem = true
    privileged             = false
    # Seconds to stop cleanly after SIGTERM: the maximum of Fargate.
    stopTimeout     = 120
    linuxParameters = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    mountPoints     = [{ sourceVolume = "scratch", containerPath = "/scratch", readOnly = false }]
    environment = [
      for name, value in merge(local.environment, each.value.environment) : { name = name, value = value }
    ]
    secrets = [for name, arn in each.value.secrets : { name = name, valueFrom = arn }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.tasks.name
        awslogs-region        = var.region
        awslogs-stream-prefix = each.key
        # A task never waits for CloudWatch. What it logs fits into the buffer many times.
        mode            = "non-blocking"
        max-buffer-size = "25m"
      }
    }
  }])
}
