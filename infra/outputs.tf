output "ecr_repository_url" {
  description = "The image repository: docker push <this>:<image_tag>."
  value       = aws_ecr_repository.this.repository_url
}

output "state_machine_arn" {
  description = "The state machine that runs the pipeline: make run-aws starts and follows it."
  value       = aws_sfn_state_machine.this.arn
}

output "cluster_arn" {
  description = "The ECS cluster of the tasks."
  value       = aws_ecs_cluster.this.arn
}

output "log_group" {
  description = "The log group of the tasks: make logs."
  value       = aws_cloudwatch_log_group.tasks.name
}

output "dashboard_url" {
  description = "The dashboard: runs, tables, sources, cost."
  value       = "https://${var.region}.console.aws.amazon.com/cloudwatch/home?region=${var.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.this.dashboard_name}"
}

output "topic_arn" {
  description = "The topic that failures are published to; subscribe with alert_emails."
  value       = aws_sns_topic.alerts.arn
}

output "drop_urls" {
  description = "The drop of each source that reads one: make drop FILE=<table>.parquet."
  value       = local.drop_urls
}

output "artifacts_url" {
  description = "The artifacts of each run (dbt's results, its log and a summary): runs/<execution>/."
  value       = local.urls.artifacts
}

output "docs_url" {
  description = "The docs of the last successful build: aws s3 cp <this> . and open the file."
  value       = local.urls.docs
}

output "name" {
  description = "The prefix of every name."
  value       = var.name
}

output "protect_data" {
  description = "True: make destroy is refused."
  value       = var.protect_data
}

output "buckets" {
  description = "The buckets with data."
  value       = [for bucket in aws_s3_bucket.this : bucket.id]
}

output "namespace" {
  description = "The Redshift Serverless namespace, which contains the data."
  value       = aws_redshiftserverless_namespace.this.namespace_name
}

output "database" {
  description = "The database in the namespace."
  value       = aws_redshiftserverless_namespace.this.db_name
}

output "database_set_up" {
  description = "What make deploy runs in the database as the admin when it changes or the namespace is new: the statement that creates the procedure, and the id of the namespace."
  value = {
    procedure    = local.access_procedure
    namespace_id = aws_redshiftserverless_namespace.this.namespace_id
    secret_arn   = aws_redshiftserverless_namespace.this.admin_password_secret_arn
  }
}

output "workgroup" {
  description = "The Redshift Serverless workgroup."
  value       = aws_redshiftserverless_workgroup.this.workgroup_name
}

output "redshift_host" {
  description = "The host that readers connect to, port 5439, from reader_cidrs: grant role reader to them."
  value       = aws_redshiftserverless_workgroup.this.endpoint[0].address
}

output "deploy_role_arn" {
  description = "The role that GitHub's workflows deploy with: the variable ROLE_ARN of the environment. Null if github is not set."
  value       = one(aws_iam_role.deploy[*].arn)
}

output "plan_role_arn" {
  description = "The role that GitHub's workflows plan with, before the approval: the variable ROLE_ARN of the environment <environment>-plan. Null if github is not set."
  value       = one(aws_iam_role.plan[*].arn)
}

output "image_tag" {
  description = "The commit that is deployed: make drift compares AWS with it."
  value       = var.image_tag
}

output "next_steps" {
  description = "What to do next: terraform output -raw next_steps."
  value = join("\n", concat(
    length(var.alert_emails) == 0 ? ["Nobody receives failures: set alert_emails and apply again."] : [
      "Each of ${join(", ", var.alert_emails)} confirms the subscription with the link in an email.",
    ],
    [
      for name, url in local.drop_urls : "In .env set ${var.sources[name].prefix}_DROP=${url}; then run make drop FILE=<table>.parquet."
    ],
    [
      "make run-aws runs the pipeline and follows it. The alarm ${var.name}-not-run is on until the first run has succeeded.",
      "The docs after that: aws s3 cp ${local.urls.docs} .",
    ],
    [for role in aws_iam_role.deploy : "On GitHub: create the environment ${var.github.environment} with reviewers and the variable ROLE_ARN=${role.arn}."],
    [for role in aws_iam_role.plan : "On GitHub: create the environment ${var.github.environment}-plan without reviewers and with the variable ROLE_ARN=${role.arn}."],
  ))
}
