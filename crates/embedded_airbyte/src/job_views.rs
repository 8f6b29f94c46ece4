//! Jobs as both APIs look at them: rows, attempts and counts, live ones included.

use sea_orm::{
    ColumnTrait, EntityTrait, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
};
use uuid::Uuid;

use crate::connector::FailureReason;
use crate::engine::Engine;
use crate::fault::{Fault, stored};
use crate::replication::StreamStats;
use crate::store::entities::{attempt, connection, job};

/// Which jobs.
#[derive(Default)]
pub(crate) struct JobFilter {
    pub(crate) connection: Option<Uuid>,
    pub(crate) workspaces: Vec<Uuid>,
    pub(crate) config_types: Vec<String>,
    pub(crate) statuses: Vec<String>,
    /// First and last time, inclusive.
    pub(crate) created: (Option<i64>, Option<i64>),
    pub(crate) updated: (Option<i64>, Option<i64>),
    pub(crate) by_update: bool,
    pub(crate) descending: bool,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
}

/// An attempt with its counts and failures read.
pub(crate) struct AttemptView {
    pub(crate) row: attempt::Model,
    pub(crate) stats: Vec<StreamStats>,
    pub(crate) failures: Vec<FailureReason>,
}

/// A job with its attempts.
pub(crate) struct JobView {
    pub(crate) row: job::Model,
    pub(crate) attempts: Vec<AttemptView>,
}

/// Sums of counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) records_emitted: u64,
    pub(crate) bytes_emitted: u64,
    pub(crate) records_committed: u64,
    pub(crate) bytes_committed: u64,
    pub(crate) records_rejected: u64,
    pub(crate) states_emitted: u64,
}

impl Totals {
    /// Sums up counts.
    pub(crate) fn of<'a>(stats: impl IntoIterator<Item = &'a StreamStats>) -> Self {
        let mut totals = Self::default();
        for stream in stats {
            totals.records_emitted += stream.records_emitted;
            totals.bytes_emitted += stream.bytes_emitted;
            // A later attempt read the stream from its beginning.
            if !stream.superseded {
                totals.records_committed += stream.records_committed;
                totals.bytes_committed += stream.bytes_committed;
            }
            totals.records_rejected += stream.records_rejected;
            totals.states_emitted += stream.states_emitted;
        }
        totals
    }
}

impl JobView {
    /// Counts over all attempts.
    pub(crate) fn totals(&self) -> Totals {
        Totals::of(self.attempts.iter().flat_map(|attempt| &attempt.stats))
    }
}

impl JobFilter {
    fn select(&self) -> Select<job::Entity> {
        let mut query = job::Entity::find();
        if let Some(connection) = self.connection {
            query = query.filter(job::Column::ConnectionId.eq(connection));
        }
        if !self.workspaces.is_empty() {
            let inside = connection::Entity::find()
                .select_only()
                .column(connection::Column::Id)
                .filter(connection::Column::WorkspaceId.is_in(self.workspaces.iter().copied()))
                .into_query();
            query = query.filter(job::Column::ConnectionId.in_subquery(inside));
        }
        if !self.config_types.is_empty() {
            query = query.filter(job::Column::ConfigType.is_in(self.config_types.clone()));
        }
        if !self.statuses.is_empty() {
            query = query.filter(job::Column::Status.is_in(self.statuses.clone()));
        }
        for (column, (from, to)) in [
            (job::Column::CreatedAt, self.created),
            (job::Column::UpdatedAt, self.updated),
        ] {
            if let Some(from) = from {
                query = query.filter(column.gte(from));
            }
            if let Some(to) = to {
                query = query.filter(column.lte(to));
            }
        }
        query
    }
}

impl Engine {
    /// A page of jobs.
    pub(crate) async fn job_list(&self, filter: &JobFilter) -> Result<Vec<JobView>, Fault> {
        let column = if filter.by_update {
            job::Column::UpdatedAt
        } else {
            job::Column::CreatedAt
        };
        let order = if filter.descending {
            Order::Desc
        } else {
            Order::Asc
        };
        let rows = filter
            .select()
            .order_by(column, order.clone())
            .order_by(job::Column::Id, order)
            .limit(filter.limit)
            .offset(filter.offset)
            .all(self.store.read())
            .await?;
        self.job_views(rows).await
    }

    /// Widens a page, by whole pages from the first job, until it holds a job. Of a job that is
    /// not in the list nothing is shown.
    pub(crate) async fn job_page_with(&self, filter: &mut JobFilter, id: i64) -> Result<(), Fault> {
        let size = filter.limit.max(1);
        let column = if filter.by_update {
            job::Column::UpdatedAt
        } else {
            job::Column::CreatedAt
        };
        let order = if filter.descending {
            Order::Desc
        } else {
            Order::Asc
        };
        let ids: Vec<i64> = filter
            .select()
            .select_only()
            .column(job::Column::Id)
            .order_by(column, order.clone())
            .order_by(job::Column::Id, order)
            .into_tuple()
            .all(self.store.read())
            .await?;
        filter.offset = 0;
        filter.limit = match ids.iter().position(|known| *known == id) {
            Some(place) => (place as u64 / size + 1) * size,
            None => 0,
        };
        Ok(())
    }

    /// How many jobs there are.
    pub(crate) async fn job_count(&self, filter: &JobFilter) -> Result<u64, Fault> {
        Ok(filter.select().count(self.store.read()).await?)
    }

    /// A job.
    pub(crate) async fn job_view(&self, id: i64) -> Result<JobView, Fault> {
        let row = self.job(id).await?;
        let mut views = self.job_views(vec![row]).await?;
        views.pop().ok_or(Fault::UnknownJob(id))
    }

    async fn job_views(&self, rows: Vec<job::Model>) -> Result<Vec<JobView>, Fault> {
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let mut views: Vec<JobView> = rows
            .into_iter()
            .map(|row| JobView {
                row,
                attempts: Vec::new(),
            })
            .collect();
        for row in self.attempts(&ids).await? {
            let Some(view) = views.iter_mut().find(|view| view.row.id == row.job_id) else {
                continue;
            };
            let live = (row.status == "running")
                .then(|| self.jobs.progress(view.row.connection_id, row.job_id))
                .flatten();
            let stats = match live {
                Some(tracker) => tracker.stats(),
                None => stored("attempt", &row.stats)?,
            };
            view.attempts.push(AttemptView {
                stats,
                failures: stored("attempt", &row.failures)?,
                row,
            });
        }
        Ok(views)
    }
}
