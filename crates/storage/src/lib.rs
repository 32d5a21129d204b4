//! The only crate that contains SQL: repositories, work and lease tables, migrations.
