image_tag      = "0123abc"
alert_emails   = ["dados@example.com"]
github         = { repository = "empresa@12345/plataforma-vendas@67890" }
state_bucket   = "empresa-terraform"
source_secrets = { SOURCE_POSTGRES_PASSWORD = "segredo", EMPLOYEES_API_KEY = "chave" }
connections = {
  api = { settings = { URL = "https://api.example.com/employees" } }
  postgres = {
    settings = { HOST = "db.example.com", DATABASE = "erp", USER = "leitor" }
    cidr     = "10.1.0.0/24"
  }
}
