//! The reader that decides what is JSON: text → tree, with simd-json's tape.
//!
//! An ordinary text is read by [`super::direct`] before it comes here. The text is copied once into the arena, padded, and unescaped in place there; the tree's texts
//! point into that copy. simd-json refuses some valid JSON (numbers beyond a float, lone
//! surrogates), so what it refuses is for [`super::forgiving`] to decide.

use std::mem;

use bumpalo::collections::Vec as ArenaVec;
use simd_json::tape::{Node, Tape};
use simd_json::{Buffers, StaticNode};

use super::tree::Dots;
use super::value::{Member, Value};
use super::{Arena, DecodeFault, tree};
use crate::limits::{EVENT_DEPTH_MAX, SCRATCH_BYTES_KEPT_MAX};

/// simd-json's buffers, reused from text to text.
pub(super) struct Parser {
    buffers: Buffers,
    tape: Tape<'static>,
    /// The longest text read since the buffers were made: what they have grown to.
    text_bytes_max: usize,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            buffers: Buffers::with_max_depth(0, EVENT_DEPTH_MAX),
            tape: Tape(Vec::new()),
            text_bytes_max: 0,
        }
    }
}

impl Parser {
    /// Gives memory back that one huge record made these buffers grow to.
    pub(super) fn shrink(&mut self) {
        if self.text_bytes_max > SCRATCH_BYTES_KEPT_MAX {
            *self = Self::default();
        }
    }

    /// The tree that `text` says, where it is one JSON value that simd-json accepts.
    pub(super) fn read<'s>(
        &mut self,
        arena: &'s Arena,
        text: &str,
    ) -> Result<Value<'s>, DecodeFault> {
        let length = text.len();
        self.text_bytes_max = self.text_bytes_max.max(length);
        let buffer = arena.alloc_slice_fill_copy(length + simd_json::INPUT_PADDING, 0_u8);
        if let Some(copy) = buffer.get_mut(..length) {
            copy.copy_from_slice(text.as_bytes());
        }
        let mut tape: Tape<'s> = mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let filled = simd_json::fill_tape_padded(buffer, length, &mut self.buffers, &mut tape);
        let value = match filled {
            Ok(()) => Walk { nodes: tape.0.iter(), arena }.value(1),
            Err(_) => Err(DecodeFault::NotJson),
        };
        self.tape = tape.reset();
        value
    }
}

/// A walk over the tape, in its order. The recursion is as deep as simd-json let the text be.
struct Walk<'t, 's> {
    nodes: std::slice::Iter<'t, Node<'s>>,
    arena: &'s Arena,
}

impl<'s> Walk<'_, 's> {
    fn value(&mut self, depth: usize) -> Result<Value<'s>, DecodeFault> {
        match self.nodes.next() {
            Some(Node::String(text)) => Ok(Value::Text(text)),
            Some(Node::Static(scalar)) => Ok(scalar_value(*scalar)),
            Some(Node::Array { len, .. }) => self.array(*len, depth),
            Some(Node::Object { len, .. }) => self.object(*len, depth),
            None => Err(DecodeFault::NotJson),
        }
    }

    fn array(&mut self, length: usize, depth: usize) -> Result<Value<'s>, DecodeFault> {
        let below = tree::depth_below(depth, "")?;
        let mut items = ArenaVec::with_capacity_in(length, self.arena);
        for _ in 0..length {
            items.push(self.value(below)?);
        }
        Ok(Value::Array(items.into_bump_slice()))
    }

    fn object(&mut self, length: usize, depth: usize) -> Result<Value<'s>, DecodeFault> {
        let below = tree::depth_below(depth, "")?;
        let mut members = ArenaVec::with_capacity_in(length, self.arena);
        let mut dots = Dots::None;
        for _ in 0..length {
            let Some(Node::String(name)) = self.nodes.next() else {
                return Err(DecodeFault::NotJson);
            };
            let below = if tree::has_dot(name) {
                dots = Dots::Some;
                tree::depth_below(depth, name)?
            } else {
                below
            };
            let value = self.value(below)?;
            members.push(Member { name, value });
        }
        Ok(tree::object_with(self.arena, members.into_bump_slice(), dots))
    }
}

fn scalar_value<'s>(scalar: StaticNode) -> Value<'s> {
    match scalar {
        StaticNode::Null => Value::Null,
        StaticNode::Bool(value) => Value::Bool(value),
        StaticNode::I64(value) => Value::Int(value),
        StaticNode::U64(value) => i64::try_from(value).map_or(Value::Uint(value), Value::Int),
        StaticNode::F64(value) => Value::Float(value),
    }
}
