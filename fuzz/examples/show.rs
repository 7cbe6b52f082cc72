//! tmp
fn main() {
    let f = std::env::args().nth(1).unwrap();
    let d = std::fs::read(f).unwrap();
    timewright_fuzz::show(&d);
}
