.PHONY: test-label test-deploy

test-label: ## a bundle in MONAI Label, in .venv-label
	.ci/integration label

test-deploy: ## a bundle in MONAI Deploy, in .venv-deploy
	.ci/integration deploy
