//! Use cases, one module per resource, one function per operation.
