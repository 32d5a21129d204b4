//! Typed configuration of the server processes and of the command line client, and the executor's floor file.
