"""Tests on the real Kubernetes control plane: `make live-tools`, then `make test-live`. See docs/live-tests.md."""
