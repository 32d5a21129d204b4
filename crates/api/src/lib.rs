//! REST handlers, DTOs and the mapping of outcomes to HTTP.
