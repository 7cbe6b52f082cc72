//! Activities that cannot be.
#![allow(unused_variables)]

use std::borrow::Cow;

use timewright::{activities, activity, activity_definition};

#[activity(nam = "compose")]
async fn unknown_argument(name: String) -> String {
    name
}

#[activity("compose")]
async fn name_without_key(name: String) -> String {
    name
}

#[activity(name = "a", name = "b")]
async fn name_twice(name: String) -> String {
    name
}

#[activity]
async fn generic<T: ToString>(value: T) -> String {
    value.to_string()
}

#[activity]
async fn borrowed_text(name: &str) -> String {
    name.to_owned()
}

#[activity]
async fn borrowed(name: &Cow<'static, str>) -> String {
    name.to_string()
}

#[activity]
async fn any_type(name: impl ToString) -> String {
    name.to_string()
}

#[activity]
async fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8) -> u8 {
    a + b + c + d + e + f + g
}

#[activity_definition(input = String, output = String)]
struct Compose;

#[activity(Compose)]
async fn compose(name: String) -> String {
    name
}

struct Unmarked;

impl Unmarked {
    #[activity]
    async fn method(&self, name: String) -> String {
        name
    }
}

struct Billing;

#[activities]
impl Billing {
    #[activity]
    async fn changes(&mut self, cents: u64) -> u64 {
        cents
    }

    #[activity]
    async fn consumes(self, cents: u64) -> u64 {
        cents
    }

    #[activity(Compose, name = "compose")]
    async fn compose(&self, name: String) -> String {
        name
    }
}

struct Nothing;

#[activities]
impl Nothing {
    async fn not_marked(&self) {}
}

#[activities]
impl ToString for Nothing {
    fn to_string(&self) -> String {
        String::new()
    }
}

#[activity_definition(input = String)]
struct WithField {
    name: String,
}

#[activity_definition]
fn no_struct() {}

fn main() {}
