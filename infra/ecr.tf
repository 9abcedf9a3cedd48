resource "aws_ecr_repository" "this" {
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.protect_data

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this.arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      # The reference keeps the offline substitute of the provider from reading this as an IAM policy.
      description = "Keep the last 30 images: image_tag = $${tag} returns to one of them"
      selection   = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 30 }
      action      = { type = "expire" }
    }]
  })
}
