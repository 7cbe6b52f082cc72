//! Writes the inputs that the targets begin with: `seeds FOLDER` makes `FOLDER/TARGET/NAME`.

use std::fs;
use std::io;
use std::path::PathBuf;

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("call it with the folder to write to"))?;
    for (target, name, bytes) in timewright_fuzz::seeds()? {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}
