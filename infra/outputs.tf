output "region" {
  description = "Region of everything."
  value       = var.region
}

output "ecr_repository_url" {
  description = "Where the image goes: docker push <this>:<image_tag>."
  value       = aws_ecr_repository.this.repository_url
}

output "state_machine_arn" {
  description = "What runs the pipeline: make run-aws starts it and follows it to its end."
  value       = aws_sfn_state_machine.this.arn
}

output "cluster_arn" {
  description = "The ECS cluster that the tasks run in."
  value       = aws_ecs_cluster.this.arn
}

output "log_group" {
  description = "Where the tasks log: make logs."
  value       = aws_cloudwatch_log_group.tasks.name
}

output "topic_arn" {
  description = "Where failures are told; subscribe with alert_emails."
  value       = aws_sns_topic.alerts.arn
}

output "drop_url" {
  description = "Where Parquet files are dropped: make drop FILE=categoria.parquet."
  value       = local.urls.drop
}

output "artifacts_url" {
  description = "Where each run leaves dbt's results, its log and a summary: runs/<execution>/."
  value       = local.urls.artifacts
}

output "docs_url" {
  description = "The docs of the last good build: aws s3 cp <this> . and open it."
  value       = "${local.urls.artifacts}/docs/index.html"
}

output "workgroup" {
  description = "The Redshift Serverless workgroup."
  value       = aws_redshiftserverless_workgroup.this.workgroup_name
}

output "redshift_host" {
  description = "Where readers connect, port 5439, from reader_cidrs: grant role reader to them."
  value       = aws_redshiftserverless_workgroup.this.endpoint[0].address
}

output "deploy_role_arn" {
  description = "The role that GitHub's workflows assume: the variable DEPLOY_ROLE_ARN of the repository. Null without github."
  value       = one(aws_iam_role.deploy[*].arn)
}

output "next_steps" {
  description = "What comes next: terraform output -raw next_steps."
  value = join("\n", concat(
    length(var.alert_emails) == 0 ? ["Nobody is told of failures: set alert_emails and apply again."] : [
      "Each of ${join(", ", var.alert_emails)} confirms the subscription by the link in a mail.",
    ],
    [
      "In .env: PARQUET_DROP=${local.urls.drop}; then make drop FILE=categoria.parquet.",
      "make run-aws runs it and follows it; until a first run went well, the alarm ${var.name}-not-run sounds.",
      "The docs after that: aws s3 cp ${local.urls.artifacts}/docs/index.html .",
    ],
    [for role in aws_iam_role.deploy : "On GitHub: the environment ${var.github.environment} with reviewers, and the repository's variable DEPLOY_ROLE_ARN=${role.arn}."],
  ))
}
