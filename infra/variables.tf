# --- Names and region ---

variable "name" {
  description = "Prefix of every name. Several deployments can share an account."
  type        = string
  default     = "vendas"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 20 lowercase letters, digits and -, starting with a letter."
  }
}

variable "region" {
  description = "AWS region of the deployment."
  type        = string
  default     = "sa-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$", var.region))
    error_message = "region: expected a name such as sa-east-1."
  }
}

variable "tags" {
  description = "Tags of every resource, in addition to project."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.tags), "project")
    error_message = "tags: project cannot be set, it is the deployment's name."
  }
}

variable "protect_data" {
  description = "Refuse to delete buckets and image repositories that are not empty, and keep deleted secrets for 30 days. Set to false, apply, then destroy."
  type        = bool
  default     = true
  nullable    = false
}

# --- Network ---

variable "existing_network" {
  description = "An existing VPC with private subnets in three availability zones that reach S3, the employees API and the source database. Null: a new VPC."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
  })
  default = null

  validation {
    condition = var.existing_network == null ? true : (
      startswith(var.existing_network.vpc_id, "vpc-")
      && alltrue([for id in var.existing_network.subnet_ids : startswith(id, "subnet-")])
      && length(distinct(var.existing_network.subnet_ids)) >= 3
    )
    error_message = "existing_network: expected the ids of a VPC and of at least three subnets, because Redshift Serverless needs three zones."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the new VPC: a /16 to /20 that does not overlap the source database's network."
  type        = string
  default     = "10.80.0.0/20"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && can(regex("/(16|17|18|19|20)$", var.vpc_cidr))
    error_message = "vpc_cidr: expected a network such as 10.80.0.0/20, from /16 to /20."
  }
}

variable "egress" {
  description = "How tasks in the new VPC reach AWS and the employees API: nat (one NAT gateway, with Internet access) or endpoints (interface endpoints to AWS only; the API must be inside the network)."
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["nat", "endpoints"], var.egress)
    error_message = "egress: expected nat or endpoints."
  }
}

variable "source_route" {
  description = "The route from the new VPC to the source database's network, through a transit gateway or a VPC peering connection. Null: only egress."
  type = object({
    transit_gateway_id        = optional(string)
    vpc_peering_connection_id = optional(string)
  })
  default = null

  validation {
    condition = var.source_route == null ? true : (
      length(compact([var.source_route.transit_gateway_id, var.source_route.vpc_peering_connection_id])) == 1
    )
    error_message = "source_route: expected either transit_gateway_id or vpc_peering_connection_id."
  }
  validation {
    condition     = var.source_route == null || var.existing_network == null
    error_message = "source_route: cannot be combined with existing_network, which has its own routes."
  }
}

variable "reader_cidrs" {
  description = "Private networks from which people and tools may connect to Redshift."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.reader_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "reader_cidrs: expected networks such as 10.0.0.0/16, not /0."
  }
}

# --- Sources ---

variable "source_postgres" {
  description = "The sales database: its address and the user to sign in as. Tasks may connect to its network, cidr."
  type = object({
    host     = string
    port     = optional(number, 5432)
    database = string
    user     = string
    sslmode  = optional(string, "require")
    cidr     = string
  })

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9.-]*$", var.source_postgres.host))
    error_message = "source_postgres.host: expected a host name or an address, without a port."
  }
  validation {
    condition     = alltrue([for value in [var.source_postgres.database, var.source_postgres.user] : trimspace(value) != ""])
    error_message = "source_postgres: expected a database and a user, got an empty value."
  }
  validation {
    condition     = can(cidrhost(var.source_postgres.cidr, 0)) && !endswith(var.source_postgres.cidr, "/0")
    error_message = "source_postgres.cidr: expected the database's network, such as 10.1.0.0/24 or 192.0.2.7/32."
  }
  validation {
    condition     = var.source_postgres.port > 0 && var.source_postgres.port < 65536
    error_message = "source_postgres.port: expected 1 to 65535."
  }
  validation {
    condition     = contains(["require", "verify-ca", "verify-full"], var.source_postgres.sslmode)
    error_message = "source_postgres.sslmode: expected require, verify-ca or verify-full."
  }
}

variable "source_postgres_password" {
  description = "Password of source_postgres.user; never in the state. Set TF_VAR_source_postgres_password, only when source_postgres_password_version is new."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.source_postgres_password == null ? true : length(var.source_postgres_password) > 0
    error_message = "source_postgres_password: expected a value or null, got an empty value."
  }
}

variable "source_postgres_password_version" {
  description = "Increase by one to store a new source_postgres_password."
  type        = number
  default     = 1

  validation {
    condition     = var.source_postgres_password_version >= 1 && floor(var.source_postgres_password_version) == var.source_postgres_password_version
    error_message = "source_postgres_password_version: expected a whole number from 1."
  }
}

variable "employees_api_url" {
  description = "URL of the employees API, without ?id=."
  type        = string

  validation {
    condition     = can(regex("^https://[^/@?#[:space:]]+(/[^@?#[:space:]]*)?$", var.employees_api_url))
    error_message = "employees_api_url: expected an https URL without user, query and fragment."
  }
}

variable "employees_api_key" {
  description = "Key of the employees API, if it needs one; never in the state. Set TF_VAR_employees_api_key, only when employees_api_key_version is new."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.employees_api_key == null ? true : length(var.employees_api_key) > 0
    error_message = "employees_api_key: expected a value or null, got an empty value."
  }
}

variable "employees_api_key_version" {
  description = "0: the employees API needs no key. Otherwise increase by one to store a new employees_api_key."
  type        = number
  default     = 0

  validation {
    condition     = var.employees_api_key_version >= 0 && floor(var.employees_api_key_version) == var.employees_api_key_version
    error_message = "employees_api_key_version: expected a whole number from 0."
  }
}
