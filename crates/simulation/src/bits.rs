//! Who may do what, as a set of bits: one for each request path and capability of the small world.

use std::ops::BitOrAssign;

const WORDS: usize = 8;

/// A set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bits([u64; WORDS]);

impl Bits {
    /// How many rights fit.
    pub(crate) const COUNT: usize = WORDS * 64;

    pub(crate) fn set(&mut self, bit: usize) {
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    /// The first right that is not among `others`.
    pub(crate) fn beyond(&self, others: &Self) -> Option<usize> {
        let mut words = self.0.iter().zip(&others.0).enumerate();
        words.find_map(|(word, (mine, theirs))| {
            let more = mine & !theirs;
            (more != 0).then(|| word * 64 + more.trailing_zeros() as usize)
        })
    }
}

impl BitOrAssign for Bits {
    fn bitor_assign(&mut self, more: Self) {
        for (mine, theirs) in self.0.iter_mut().zip(more.0) {
            *mine |= theirs;
        }
    }
}
