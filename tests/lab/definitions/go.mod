module strongroom.dev/lab/definitions

go 1.26

// Nothing of these is built: their definitions of custom resources are taken out. `go mod tidy` would
// drop both.
require (
	github.com/external-secrets/external-secrets v1.3.2
	sigs.k8s.io/secrets-store-csi-driver v1.5.3
)
