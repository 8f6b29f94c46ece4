//! What the community edition answers for applications, users, organisations and the rest.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{CLIENT_ID, CLIENT_SECRET, Engine};

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_application_under_a_new_id_each_time() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let (status, list) = api.get("/applications").await;
    assert_eq!(status, 200, "{list}");
    let [application] = list["applications"].as_array().unwrap().as_slice() else {
        panic!("{list}");
    };
    assert_eq!(application["clientId"], CLIENT_ID);
    assert_eq!(application["clientSecret"], "**********");
    assert!(!list.to_string().contains(CLIENT_SECRET), "{list}");
    assert!(
        application["name"]
            .as_str()
            .unwrap()
            .ends_with(" Application")
    );
    let created = application["createdAt"].as_i64().unwrap();
    assert!(
        (1_600_000_000..10_000_000_000).contains(&created),
        "seconds: {created}"
    );
    let (_, again) = api.get("/applications").await;
    assert_ne!(again["applications"][0]["id"], application["id"]);
    let path = format!("/applications/{}", Uuid::new_v4());
    let (status, problem) = api.get(&path).await;
    assert_eq!(status, 404);
    assert!(
        problem["type"]
            .as_str()
            .unwrap()
            .ends_with("resource-not-found")
    );
    for (status, answer) in [
        api.post("/applications", json!({"name": "mine"})).await,
        api.delete(&path).await,
    ] {
        assert_eq!(status, 500);
        assert!(answer["errorId"].is_string(), "{answer}");
        assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_editions_have_is_refused_as_the_community_edition_does() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let id = Uuid::new_v4();
    let (get, post, put, patch, delete) = (
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    );
    let forbidden = "https://reference.airbyte.com/reference/errors#forbidden";
    let invalid = "https://reference.airbyte.com/reference/errors#bad-request";
    let missing = "https://reference.airbyte.com/reference/errors#resource-not-found";
    let (paid, not_in_oss) = (
        "error:license/entitlement",
        "error:implementation/not-implemented-in-oss",
    );
    let credentials = json!({"actorType": "source", "name": "salesforce", "configuration": {}});
    let workspace = api.workspace().await;
    for (method, path, body, status, kind) in [
        (
            &get,
            format!("/users?organizationId={id}"),
            None,
            403,
            forbidden,
        ),
        (
            &get,
            format!("/permissions?userId={id}"),
            None,
            403,
            forbidden,
        ),
        (
            &post,
            "/permissions".to_owned(),
            Some(json!({"permissionType": "workspace_admin", "userId": id})),
            400,
            invalid,
        ),
        (
            &post,
            "/permissions".to_owned(),
            Some(json!({"permissionType": "workspace_admin", "userId": id, "workspaceId": id})),
            403,
            forbidden,
        ),
        (&get, format!("/permissions/{id}"), None, 404, missing),
        (
            &patch,
            format!("/permissions/{id}"),
            Some(json!({"permissionType": "workspace_admin"})),
            404,
            missing,
        ),
        (&delete, format!("/permissions/{id}"), None, 404, missing),
        (
            &get,
            format!("/groups?organizationId={id}"),
            None,
            403,
            paid,
        ),
        (
            &post,
            format!("/groups/{id}/members"),
            Some(json!({"userId": id})),
            403,
            paid,
        ),
        (
            &get,
            format!("/regions?organizationId={id}"),
            None,
            403,
            paid,
        ),
        (&delete, format!("/regions/{id}"), None, 403, paid),
        (&get, "/dataplanes".to_owned(), None, 403, paid),
        (&get, "/embedded/organizations".to_owned(), None, 403, paid),
        (
            &put,
            format!("/workspaces/{workspace}/oauthCredentials"),
            Some(credentials.clone()),
            501,
            not_in_oss,
        ),
        (
            &delete,
            format!("/workspaces/{workspace}/oauthCredentials/source/salesforce"),
            None,
            501,
            not_in_oss,
        ),
        (
            &put,
            format!("/organizations/{id}/oauthCredentials"),
            Some(credentials),
            501,
            not_in_oss,
        ),
        (
            &delete,
            format!("/organizations/{id}/oauthCredentials/source/salesforce"),
            None,
            501,
            not_in_oss,
        ),
        (
            &get,
            "/oauth/callback?queryParams=%7B%7D".to_owned(),
            None,
            501,
            not_in_oss,
        ),
    ] {
        let full = format!("/api/public/v1{path}");
        let (got, answer) = api.send(method.clone(), &full, body).await;
        assert_eq!(got, status, "{method} {path}: {answer}");
        assert_eq!(
            (&answer["type"], &answer["status"]),
            (&json!(kind), &json!(status)),
            "{path}"
        );
        assert!(
            answer["title"].is_string() && answer["detail"].is_string(),
            "{path}: {answer}"
        );
    }
    let consent = json!({"redirectUrl": "https://example.org", "workspaceId": workspace,
        "sourceType": "salesforce"});
    let (status, empty) = api.post("/sources/initiateOAuth", consent).await;
    assert_eq!((status.as_u16(), empty), (501, Value::Null));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_user_in_one_organization() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let workspace = api.workspace().await;
    let nil = Uuid::nil();
    let (status, organizations) = api.get("/organizations").await;
    assert_eq!(status, 200, "{organizations}");
    assert_eq!(organizations["data"][0]["organizationId"], json!(nil));
    let (status, users) = api.get(&format!("/users?organizationId={nil}")).await;
    assert_eq!(
        (status.as_u16(), &users["data"][0]["id"]),
        (200, &json!(nil))
    );
    let (_, others) = api
        .get(&format!(
            "/users?organizationId={nil}&emails=else@example.org"
        ))
        .await;
    assert_eq!(others, json!({"data": []}));
    let (status, _) = api.get("/users").await;
    assert_eq!(status, 400);
    let (status, permissions) = api.get("/permissions").await;
    assert_eq!(status, 200, "{permissions}");
    assert_eq!(permissions["data"][0]["permissionType"], "instance_admin");
    for (call, asked, member, value) in [
        (
            "users/get_by_auth_id",
            json!({"authUserId": nil}),
            "/userId",
            json!(nil),
        ),
        (
            "users/get",
            json!({"userId": nil}),
            "/defaultWorkspaceId",
            json!(workspace),
        ),
        (
            "permissions/list_by_user",
            json!({"userId": nil}),
            "/permissions/0/permissionType",
            json!("instance_admin"),
        ),
        (
            "organizations/list_by_user_id",
            json!({"userId": nil}),
            "/organizations/0/organizationId",
            json!(nil),
        ),
        (
            "organizations/get",
            json!({"organizationId": nil}),
            "/organizationId",
            json!(nil),
        ),
        (
            "workspaces/get",
            json!({"workspaceId": workspace}),
            "/workspaceId",
            json!(workspace),
        ),
        (
            "workspaces/get_organization_info",
            json!({"workspaceId": workspace}),
            "/organizationId",
            json!(nil),
        ),
        (
            "workspaces/list",
            json!({}),
            "/workspaces/0/workspaceId",
            json!(workspace),
        ),
    ] {
        let path = format!("/api/v1/{call}");
        let (status, answer) = api.send(Method::POST, &path, Some(asked)).await;
        assert_eq!(status, 200, "{call}: {answer}");
        assert_eq!(answer.pointer(member), Some(&value), "{call}: {answer}");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_checked_and_kept_kind_by_kind() {
    let engine = Engine::start().await;
    let api = &engine.api;
    let webhook = json!({"enabled": true, "url": "https://example.org/hook"});
    let body = json!({"name": "n", "organizationId": Uuid::new_v4(), "regionId": Uuid::new_v4(),
        "notifications": {"failure": {"webhook": webhook, "email": {"enabled": false}}}});
    let (status, made) = api.post("/workspaces", body).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["notifications"]["failure"]["webhook"], webhook);
    let path = format!("/workspaces/{}", made["workspaceId"].as_str().unwrap());
    let change = json!({"notifications": {"success": {"email": {"enabled": true}}}});
    let (_, changed) = api.patch(&path, change).await;
    assert_eq!(changed["notifications"]["failure"]["webhook"], webhook);
    assert_eq!(
        changed["notifications"]["success"]["email"]["enabled"],
        true
    );
    for (notifications, kind) in [
        (
            json!({"failure": {"webhook": {"enabled": true}}}),
            "missing-url",
        ),
        (json!({"failure": true}), "required"),
    ] {
        let (status, problem) = api
            .patch(&path, json!({"notifications": notifications}))
            .await;
        assert_eq!(status, 400, "{problem}");
        assert_eq!(problem["type"], format!("error:notification/config/{kind}"));
    }
    assert_eq!(api.get(&path).await.1, changed);
    engine.stop().await;
}
