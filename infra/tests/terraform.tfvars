image_tag                = "0123abc"
employees_api_url        = "https://api.example.com/employees"
source_postgres          = { host = "db.example.com", database = "erp", user = "leitor", cidr = "10.1.0.0/24" }
source_postgres_password = "segredo"
alert_emails             = ["dados@example.com"]
github                   = { repository = "empresa/plataforma-vendas" }
state_bucket             = "empresa-terraform"
employees_api_key        = "chave"
