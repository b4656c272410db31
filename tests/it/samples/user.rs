//! People who work here: one who is signed in, and one who goes out to customers.

use capabilities::Role;

use super::{Named, Sample};
use crate::desk::{Desk, fresh};

pub const SAMPLE: Sample = Sample {
    ids: &["user_id", "technician_id"],
    first: &[("user.reactivate", "user.deactivate")],
    make: |_, desk, id| Box::pin(user(desk, id)),
    ..Sample::NONE
};

async fn user(desk: &Desk, id: &str) -> Vec<Named> {
    if id == "technician_id" {
        return vec![("technician_id", desk.user(&format!("Terry {}", fresh()), Role::Technician).await.to_string())];
    }
    let user = desk.user(&format!("Sam {}", fresh()), Role::Technician).await;
    desk.sign_in(user).await;
    vec![("user_id", user.to_string())]
}
