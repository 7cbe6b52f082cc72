//! Activities whose types do not fit.

use timewright::{activities, activity, activity_definition};

#[activity_definition(input = String, output = String)]
struct Compose;

struct Greetings;

#[activities]
impl Greetings {
    #[activity(Compose)]
    async fn wrong_input(&self, name: u64) -> String {
        name.to_string()
    }
}

struct NoError;

#[activity]
async fn wrong_error() -> Result<u64, NoError> {
    Ok(1)
}

fn main() {}
