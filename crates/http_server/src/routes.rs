//! Routes that declare what they require of their caller.
//!
//! All decisions about a request before its handler (access, limits, the name in metrics) are made
//! after the router has matched it, by a middleware on the matched resource. The spelling of the
//! path therefore cannot lead to a decision for a handler other than the one that responds.

use std::rc::Rc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, FromRequest, Handler, Responder, Route, guard};

/// Paths with their methods; `P` is what a method requires of its caller.
pub struct Routes<P> {
    prefix: String,
    resources: Vec<Resource<P>>,
}

struct Resource<P> {
    pattern: String,
    endpoints: Vec<Endpoint<P>>,
}

/// A method of a path: what it requires of its caller, and its handler.
struct Endpoint<P> {
    /// `None` matches any method.
    method: Option<Method>,
    policy: P,
    route: Route,
}

/// An entry of a route table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared<P> {
    /// The path, with its parameters in braces.
    pub pattern: String,
    /// The method; `None` matches any.
    pub method: Option<Method>,
    /// What it requires of its caller.
    pub policy: P,
}

/// What the router found for a request.
#[derive(Debug, Clone)]
pub struct Matched<P> {
    /// The path as declared; none if no path matched.
    pub pattern: Option<Rc<str>>,
    /// What the method requires of its caller; none if the path or the method is not declared.
    pub policy: Option<P>,
    /// What the methods of the path require of their callers.
    pub others: Rc<[P]>,
    /// The methods of the path, as in the header `Allow`.
    pub allow: Rc<str>,
}

/// Whether `/path/` is the same as `/path`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrailingSlash {
    /// It is another path.
    Distinct,
    /// It is the same path.
    Same,
}

macro_rules! answering {
    ($name:ident, $method:ident) => {
        #[doc = concat!("Answers ", stringify!($method), ".")]
        pub fn $name<F, Args>(&mut self, path: &str, policy: P, handler: F) -> &mut Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            self.add(
                path,
                Some(Method::$method),
                policy,
                web::$name().to(handler),
            )
        }
    };
}

impl<P> Default for Routes<P> {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            resources: Vec::new(),
        }
    }
}

impl<P: Clone + 'static> Routes<P> {
    /// Handles GET, and HEAD without the body.
    pub fn get<F, Args>(&mut self, path: &str, policy: P, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let reads = guard::Any(guard::Get()).or(guard::Head());
        let route = web::route().guard(reads).to(handler);
        self.add(path, Some(Method::GET), policy, route)
    }

    answering!(post, POST);
    answering!(put, PUT);
    answering!(patch, PATCH);
    answering!(delete, DELETE);

    /// Handles every method.
    pub fn any<F, Args>(&mut self, path: &str, policy: P, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.add(path, None, policy, web::route().to(handler))
    }

    /// Adds a method to a path. If two paths match a request, the one declared first applies.
    fn add(&mut self, path: &str, method: Option<Method>, policy: P, route: Route) -> &mut Self {
        let pattern = format!("{}{path}", self.prefix);
        let endpoint = Endpoint {
            method,
            policy,
            route,
        };
        let known = self
            .resources
            .iter_mut()
            .find(|known| known.pattern == pattern);
        match known {
            Some(known) => known.endpoints.push(endpoint),
            None => self.resources.push(Resource {
                pattern,
                endpoints: vec![endpoint],
            }),
        }
        self
    }

    /// Lets `add` declare its paths.
    pub fn configure(&mut self, add: impl FnOnce(&mut Self)) -> &mut Self {
        add(self);
        self
    }

    /// Lets `add` declare its paths below `prefix`.
    pub fn scope(&mut self, prefix: &str, add: impl FnOnce(&mut Self)) -> &mut Self {
        let outer = self.prefix.clone();
        self.prefix.push_str(prefix);
        add(self);
        self.prefix = outer;
        self
    }

    /// The declared routes, in order.
    pub fn table(&self) -> Vec<Declared<P>> {
        let lines = self.resources.iter().flat_map(|resource| {
            resource.endpoints.iter().map(|endpoint| Declared {
                pattern: resource.pattern.clone(),
                method: endpoint.method.clone(),
                policy: endpoint.policy.clone(),
            })
        });
        lines.collect()
    }

    /// Installs the routes, with `judge` before each of them and before `otherwise`, which handles
    /// requests that match no path. A request that `judge` passes without a policy gets 404 or 405.
    pub fn install<J, F>(
        self,
        app: &mut ServiceConfig,
        slash: TrailingSlash,
        otherwise: Route,
        judge: J,
    ) where
        J: Fn(Matched<P>, ServiceRequest, Next<BoxBody>) -> F + Clone + 'static,
        F: Future<Output = Result<ServiceResponse<BoxBody>, Error>> + 'static,
    {
        for Resource { pattern, endpoints } in self.resources {
            let patterns = match slash {
                // A tail includes the slash.
                TrailingSlash::Same if !pattern.ends_with(":.*}") => {
                    vec![pattern.clone(), format!("{pattern}/")]
                }
                _ => vec![pattern.clone()],
            };
            let known: Rc<str> = pattern.into();
            let allow: Rc<str> = allow(&endpoints).into();
            let mut resource = web::resource(patterns);
            let mut policies = Vec::new();
            for Endpoint {
                method,
                policy,
                route,
            } in endpoints
            {
                policies.push((method, policy));
                resource = resource.route(route);
            }
            let others: Rc<[P]> = policies.iter().map(|(_, policy)| policy.clone()).collect();
            let judge = judge.clone();
            app.service(resource.wrap(from_fn(move |request: ServiceRequest, next| {
                let matched = Matched {
                    pattern: Some(known.clone()),
                    policy: policy_for(&policies, request.method()),
                    others: others.clone(),
                    allow: allow.clone(),
                };
                judge(matched, request, next)
            })));
        }
        app.default_service(otherwise.wrap(from_fn(move |request, next| {
            let matched = Matched {
                pattern: None,
                policy: None,
                others: Rc::default(),
                allow: "".into(),
            };
            judge(matched, request, next)
        })));
    }
}

/// The policy of the endpoint that the resource would choose.
fn policy_for<P: Clone>(policies: &[(Option<Method>, P)], method: &Method) -> Option<P> {
    let method = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    policies
        .iter()
        .find(|(known, _)| known.as_ref().is_none_or(|known| known == method))
        .map(|(_, policy)| policy.clone())
}

fn allow<P>(endpoints: &[Endpoint<P>]) -> String {
    let methods = endpoints
        .iter()
        .filter_map(|endpoint| endpoint.method.as_ref())
        .flat_map(|method| {
            let head = (*method == Method::GET).then_some("HEAD");
            std::iter::once(method.as_str()).chain(head)
        });
    methods.collect::<Vec<_>>().join(", ")
}
