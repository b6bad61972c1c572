"""Why a model drifted, whether it matters, and whether its monitors would have told."""
