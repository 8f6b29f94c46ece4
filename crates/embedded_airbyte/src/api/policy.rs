//! What a route asks of its caller: stated where the route is declared.

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Probes: anybody, by any host name.
    Probe,
    /// Open to callers that request a token; forms are accepted as well as JSON.
    Token,
    /// Anybody: the web app's page.
    Page,
    /// Holders of a token.
    Bearer,
}

/// What a hostile engine may do to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Makes {
    /// Nothing.
    Nothing,
    /// A source, a destination or a connection.
    Something,
    /// A job.
    Job,
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Who may call.
    pub access: Access,
    /// Bytes that a body may have.
    pub body_limit: usize,
    pub(crate) makes: Makes,
}

const KB: usize = 1024;

/// Answers probes.
pub(crate) const PROBE: Policy = Policy::new(Access::Probe, 16 * KB);
/// Issues tokens.
pub(crate) const TOKEN: Policy = Policy::new(Access::Token, 16 * KB);
/// Shows the web app's page.
pub(crate) const PAGE: Policy = Policy::new(Access::Page, 16 * KB);
/// Answers holders of a token.
pub(crate) const BEARER: Policy = Policy::new(Access::Bearer, KB * KB);
/// The same, where bodies carry catalogs, states or manifests.
pub(crate) const LARGE: Policy = Policy::new(Access::Bearer, 32 * KB * KB);

impl Policy {
    const fn new(access: Access, body_limit: usize) -> Self {
        Self {
            access,
            body_limit,
            makes: Makes::Nothing,
        }
    }

    /// The same for what makes a source, a destination or a connection.
    pub(crate) const fn making_something(self) -> Self {
        Self {
            makes: Makes::Something,
            ..self
        }
    }

    /// The same for what starts a job.
    pub(crate) const fn starting_a_job(self) -> Self {
        Self {
            makes: Makes::Job,
            ..self
        }
    }
}
