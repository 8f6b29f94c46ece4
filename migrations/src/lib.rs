#![doc = include_str!("../README.md")]

pub use sea_orm_migration::prelude::*;

mod m20260101_000001_registry;
mod m20261121_000002_durable;
mod m20261121_000004_job_lookup;
mod m20261130_000005_actors;

/// Every migration of the registry, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260101_000001_registry::Migration),
            Box::new(m20261121_000002_durable::Migration),
            Box::new(m20261121_000004_job_lookup::Migration),
            Box::new(m20261130_000005_actors::Migration),
        ]
    }
}
