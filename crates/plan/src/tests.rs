//! Golden plans, the table of risks and stages, refusals, and properties against a model engine.

mod documents;
mod drift;
mod engine;
mod follow;
mod given_back;
mod golden;
mod observe;
mod properties;
mod reach;
mod removal;
mod resume;
mod risk;
mod rounds;
mod sharing;
mod size;
mod stages;
mod summary;
mod support;
