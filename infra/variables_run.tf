# --- Redshift ---

variable "database" {
  description = "Name of the database."
  type        = string
  default     = "vendas"

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,63}$", var.database))
    error_message = "database: expected lowercase letters, digits and _, not starting with a digit."
  }
}

variable "redshift_base_capacity" {
  description = "RPUs that queries start with: 4, or a multiple of 8 up to 512. Billed while a query runs."
  type        = number
  default     = 8

  validation {
    condition     = var.redshift_base_capacity == 4 || (var.redshift_base_capacity % 8 == 0 && var.redshift_base_capacity >= 8 && var.redshift_base_capacity <= 512)
    error_message = "redshift_base_capacity: expected 4, or a multiple of 8 from 8 to 512."
  }
}

variable "redshift_max_capacity" {
  description = "Maximum of RPUs that Redshift scales to."
  type        = number
  default     = 32

  validation {
    condition     = var.redshift_max_capacity >= var.redshift_base_capacity && var.redshift_max_capacity % 8 == 0 && var.redshift_max_capacity <= 5632
    error_message = "redshift_max_capacity: expected a multiple of 8 from redshift_base_capacity to 5632."
  }
}

variable "redshift_daily_rpu_hours" {
  description = "RPU-hours per day. At this limit the alarm goes off and redshift_limit_action is taken."
  type        = number
  default     = 24

  validation {
    condition     = var.redshift_daily_rpu_hours >= 1 && floor(var.redshift_daily_rpu_hours) == var.redshift_daily_rpu_hours
    error_message = "redshift_daily_rpu_hours: expected a whole number from 1."
  }
}

variable "redshift_limit_action" {
  description = "What happens at redshift_daily_rpu_hours: log, emit-metric, or deactivate (no queries until the next day)."
  type        = string
  default     = "emit-metric"

  validation {
    condition     = contains(["log", "emit-metric", "deactivate"], var.redshift_limit_action)
    error_message = "redshift_limit_action: expected log, emit-metric or deactivate."
  }
}

variable "redshift_dollars_per_rpu_hour" {
  description = "Price of an RPU-hour in the region, for the dashboard: docs/operations/costs.md."
  type        = number
  default     = 0.375

  validation {
    condition     = var.redshift_dollars_per_rpu_hour > 0
    error_message = "redshift_dollars_per_rpu_hour: expected a price above 0."
  }
}

variable "snapshot_retention_days" {
  description = "Days that a daily snapshot is kept. In addition, Redshift Serverless keeps recovery points for 24 hours."
  type        = number
  default     = 14

  validation {
    condition     = var.snapshot_retention_days >= 7 && var.snapshot_retention_days <= 3653
    error_message = "snapshot_retention_days: expected 7 to 3653."
  }
}

# --- Tasks ---

variable "image_tag" {
  description = "Tag of the image: the commit that it was built from. Set by make deploy."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag: expected an immutable tag such as the hash of a commit, not latest."
  }
}

variable "task_cpu" {
  description = "CPU units of a task; 1024 are one vCPU."
  type        = number
  default     = 2048

  validation {
    condition     = contains([1024, 2048, 4096, 8192, 16384], var.task_cpu)
    error_message = "task_cpu: expected 1024, 2048, 4096, 8192 or 16384."
  }
}

variable "task_memory" {
  description = "Memory of a task in MiB: 2 to 8 GiB per vCPU, as Fargate requires."
  type        = number
  default     = 4096

  validation {
    condition     = var.task_memory >= 2 * var.task_cpu && var.task_memory <= min(8 * var.task_cpu, 122880) && var.task_memory % (var.task_cpu >= 16384 ? 8192 : var.task_cpu >= 8192 ? 4096 : 1024) == 0
    error_message = "task_memory: expected 2 to 8 MiB per CPU unit, in steps of 1024 (4096 from 8 vCPU, 8192 from 16)."
  }
}

variable "task_scratch_gib" {
  description = "Scratch space of a task in GiB. An extract keeps the files of one table there until they are in the landing."
  type        = number
  default     = 50

  validation {
    condition     = var.task_scratch_gib >= 21 && var.task_scratch_gib <= 200
    error_message = "task_scratch_gib: expected 21 to 200."
  }
}

variable "task_architecture" {
  description = "Architecture that the image was built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.task_architecture)
    error_message = "task_architecture: expected X86_64 or ARM64."
  }
}

variable "fan_out_tasks" {
  description = "Maximum of tasks that load ranges of one table at the same time. Each task opens one session per vCPU at the source, at most 4, and one more."
  type        = number
  default     = 8

  validation {
    condition     = var.fan_out_tasks >= 1 && var.fan_out_tasks <= 40 && floor(var.fan_out_tasks) == var.fan_out_tasks
    error_message = "fan_out_tasks: expected a whole number from 1 to 40, the maximum of Step Functions."
  }
}

# --- Schedule and alerts ---

variable "schedule" {
  description = "When the pipeline runs: a cron(…) or rate(…) of EventBridge Scheduler, and its time zone."
  type = object({
    expression = optional(string, "cron(0 5 * * ? *)")
    time_zone  = optional(string, "America/Sao_Paulo")
    enabled    = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^(cron\\(([^ ()]+ ){5}[^ ()]+\\)|rate\\([1-9][0-9]* (minute|hour|day)s?\\))$", var.schedule.expression))
    error_message = "schedule.expression: expected cron(minute hour day month weekday year) or rate(1 hour)."
  }
  validation {
    # AWS requires ? for one of the two days of a cron expression.
    condition     = startswith(var.schedule.expression, "rate") || length(regexall("[ (]\\?[ )]", var.schedule.expression)) == 1
    error_message = "schedule.expression: expected ? for the day of the month or the day of the week."
  }
  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+/[A-Za-z_/+-]+)$", var.schedule.time_zone))
    error_message = "schedule.time_zone: expected a name such as America/Sao_Paulo."
  }
}

variable "slow_after_minutes" {
  description = "Minutes after which the alarm for slow runs goes off."
  type        = number
  default     = 60

  validation {
    condition     = var.slow_after_minutes >= 1
    error_message = "slow_after_minutes: expected at least 1."
  }
}

variable "silent_after_hours" {
  description = "Hours without a successful run after which an alarm goes off. Must be longer than the time between two runs."
  type        = number
  default     = 25

  validation {
    condition     = var.silent_after_hours >= 1 && var.silent_after_hours <= 168 && floor(var.silent_after_hours) == var.silent_after_hours
    error_message = "silent_after_hours: expected a whole number from 1 to 168, the maximum of CloudWatch."
  }
}

variable "alert_emails" {
  description = "Email addresses that receive failures; each must confirm once with the link in an email."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@[:space:]]+@[^@[:space:]]+$", address))])
    error_message = "alert_emails: expected email addresses."
  }
}

variable "monthly_budget_dollars" {
  description = "Dollars a month. alert_emails get a mail at 80 %, and when AWS forecasts more. Null: no budget."
  type        = number
  default     = 150

  validation {
    condition     = var.monthly_budget_dollars == null ? true : var.monthly_budget_dollars > 0
    error_message = "monthly_budget_dollars: expected an amount above 0, or null."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_days)
    error_message = "log_retention_days: expected one of 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731."
  }
}

# --- Deployment from CI ---

variable "state_bucket" {
  description = "The bucket of Terraform's state, which CI's role may read and write. Set by make deploy."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.state_bucket))
    error_message = "state_bucket: expected the name of an S3 bucket."
  }
}

variable "github" {
  description = "The GitHub repository and environment whose workflows may deploy. repository: owner@<owner id>/name@<repository id>, or owner/name for a repository that GitHub has signed in without ids so far. Null: no deploy role. oidc_provider_arn: the account's provider for token.actions.githubusercontent.com, if one exists."
  type = object({
    repository        = string
    environment       = optional(string, "production")
    oidc_provider_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.github == null ? true : can(regex("^([A-Za-z0-9-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+|[A-Za-z0-9-]+/[A-Za-z0-9._-]+)$", var.github.repository))
    error_message = "github.repository: expected owner@<owner id>/name@<repository id>, or owner/name for an older repository; docs/guide/aws.md shows how to read the ids."
  }
  validation {
    # A wildcard would admit workflows that no environment has approved.
    condition     = var.github == null ? true : can(regex("^[^*?:[:space:]]+$", var.github.environment))
    error_message = "github.environment: expected the name of an environment, without * and ?."
  }
  validation {
    condition     = try(var.github.oidc_provider_arn, null) == null ? true : can(regex("^arn:[^:]+:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$", var.github.oidc_provider_arn))
    error_message = "github.oidc_provider_arn: expected the ARN of the account's provider for token.actions.githubusercontent.com, or null."
  }
}
