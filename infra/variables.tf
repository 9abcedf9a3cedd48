# --- Names and places ---

variable "name" {
  description = "Prefix of every name, so that several of these can live in one account."
  type        = string
  default     = "vendas"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "name: expected 3 to 20 lower-case letters, digits and -, beginning with a letter."
  }
}

variable "region" {
  description = "AWS region of everything."
  type        = string
  default     = "sa-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: expected a name such as sa-east-1."
  }
}

variable "tags" {
  description = "Tags of everything, beside project."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(var.tags), "project")
    error_message = "tags: project is set from name."
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
  description = "An existing VPC to live in, with private subnets in three availability zones that reach S3, the employees API and the source database. Null: a small VPC of its own."
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
    error_message = "existing_network: expected the id of a VPC and of at least three subnets: Redshift Serverless asks for three zones."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the VPC of its own: a /16 to /20 that does not overlap the source database's network."
  type        = string
  default     = "10.80.0.0/20"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && can(regex("/(16|17|18|19|20)$", var.vpc_cidr))
    error_message = "vpc_cidr: expected a network such as 10.80.0.0/20, from /16 to /20."
  }
}

variable "egress" {
  description = "How tasks in the VPC of its own reach AWS and the employees API: nat (one NAT gateway, the Internet) or endpoints (interface endpoints, AWS only: the API must then be inside the network)."
  type        = string
  default     = "nat"

  validation {
    condition     = contains(["nat", "endpoints"], var.egress)
    error_message = "egress: expected nat or endpoints."
  }
}

variable "source_route" {
  description = "The route from the VPC of its own to the source database's network, over a transit gateway or a VPC peering. Null: no route beside egress."
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
    error_message = "source_route: expected nothing beside existing_network, whose routes are its owner's."
  }
}

variable "reader_cidrs" {
  description = "Private networks from which people and tools may connect to Redshift."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.reader_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "reader_cidrs: expected networks such as 10.0.0.0/16, not everyone."
  }
}

# --- Sources ---

variable "source_postgres" {
  description = "The sales database: where it is and whom to sign in as. cidr is its network, which tasks may connect to."
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
    error_message = "source_postgres.host: expected a name or an address, without port."
  }
  validation {
    condition     = alltrue([for value in [var.source_postgres.database, var.source_postgres.user] : trimspace(value) != ""])
    error_message = "source_postgres: expected a database and a user, got an empty one."
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
  description = "Password of source_postgres.user. Only needed where source_postgres_password_version is new; never in the state. Give it as TF_VAR_source_postgres_password."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.source_postgres_password == null ? true : length(var.source_postgres_password) > 0
    error_message = "source_postgres_password: expected a value, or nothing at all; got an empty one."
  }
}

variable "source_postgres_password_version" {
  description = "Raise by one to store another source_postgres_password."
  type        = number
  default     = 1

  validation {
    condition     = var.source_postgres_password_version >= 1 && floor(var.source_postgres_password_version) == var.source_postgres_password_version
    error_message = "source_postgres_password_version: expected a whole number from 1."
  }
}

variable "employees_api_url" {
  description = "Address of the employees API, without ?id=."
  type        = string

  validation {
    condition     = can(regex("^https://[^/@?#[:space:]]+(/[^@?#[:space:]]*)?$", var.employees_api_url))
    error_message = "employees_api_url: expected an https address without user, query and fragment."
  }
}

variable "employees_api_key" {
  description = "Key of the employees API, if it asks for one. Only needed where employees_api_key_version is new; never in the state. Give it as TF_VAR_employees_api_key."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.employees_api_key == null ? true : length(var.employees_api_key) > 0
    error_message = "employees_api_key: expected a value, or nothing at all; got an empty one."
  }
}

variable "employees_api_key_version" {
  description = "0: the employees API asks for no key. Else raise by one to store another employees_api_key."
  type        = number
  default     = 0

  validation {
    condition     = var.employees_api_key_version >= 0 && floor(var.employees_api_key_version) == var.employees_api_key_version
    error_message = "employees_api_key_version: expected a whole number from 0."
  }
}
