; Traverses decision trees with rows and adds up the values of the leaves that they reach.
;
; A row's way down one tree is a chain of branches, half of which the processor predicts wrongly.
; Here sixteen trees are traversed in step and without a branch, until all have come to a leaf: a
; node's children lie side by side, so that the next node is `left + (cell > threshold)`; a leaf is
; its own left child, and 0 is not above its threshold.
;
; This is for cells that are rounded to float32; assembler.py makes of it the one for doubles.

%Cell = type float

; threshold (at a leaf, the bits of its place among the leaf values), link (slot in the low bits:
; which of the row's cells is compared; in the others the distance to the left child)
%Node = type { %Cell, i32 }

; nodes, leaf values (leaf width doubles a leaf), roots and targets (16 a group; a target is the sum
; that a tree adds to first), groups, leaf width, slots (cells a row), sums per row, in float32
; (1: round each sum), slot bits (how many of a link are the slot's)
%Forest = type { ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64, i64 }

; rows: count x slots doubles, which are overwritten by what they are rounded to; sums: count x sums
; per row, with the base scores in them. No count may be 0.
define void @traverse(ptr noalias readonly %forest, ptr noalias %rows, i64 %count,
                      ptr noalias %sums) {
entry:
  %at = alloca [16 x i64]
  %nodes.p = getelementptr %Forest, ptr %forest, i32 0, i32 0
  %nodes = load ptr, ptr %nodes.p
  %leaf_values.p = getelementptr %Forest, ptr %forest, i32 0, i32 1
  %leaf_values = load ptr, ptr %leaf_values.p
  %roots.p = getelementptr %Forest, ptr %forest, i32 0, i32 2
  %roots = load ptr, ptr %roots.p
  %targets.p = getelementptr %Forest, ptr %forest, i32 0, i32 3
  %targets = load ptr, ptr %targets.p
  %groups.p = getelementptr %Forest, ptr %forest, i32 0, i32 4
  %groups = load i64, ptr %groups.p
  %leaf_width.p = getelementptr %Forest, ptr %forest, i32 0, i32 5
  %leaf_width = load i64, ptr %leaf_width.p
  %slots.p = getelementptr %Forest, ptr %forest, i32 0, i32 6
  %slots = load i64, ptr %slots.p
  %sums_per_row.p = getelementptr %Forest, ptr %forest, i32 0, i32 7
  %sums_per_row = load i64, ptr %sums_per_row.p
  %in_float32.p = getelementptr %Forest, ptr %forest, i32 0, i32 8
  %in_float32 = load i64, ptr %in_float32.p
  %round.sums = icmp ne i64 %in_float32, 0
  %slot_bits.p = getelementptr %Forest, ptr %forest, i32 0, i32 9
  %slot_bits.wide = load i64, ptr %slot_bits.p
  %slot_bits = trunc i64 %slot_bits.wide to i32
  %slot_bits.above = shl i32 1, %slot_bits
  %slot.mask = sub i32 %slot_bits.above, 1
  %cell.count = mul i64 %count, %slots
  br label %round.cells

round.cells:                                 ; from the first on, as a float takes less than a double
  %c = phi i64 [ 0, %entry ], [ %c.next, %round.cells ]
  %exact.p = getelementptr double, ptr %rows, i64 %c
  %exact.cell = load double, ptr %exact.p
  %rounded.cell = fptrunc double %exact.cell to %Cell
  %rounded.p = getelementptr %Cell, ptr %rows, i64 %c
  store %Cell %rounded.cell, ptr %rounded.p
  %c.next = add i64 %c, 1
  %c.more = icmp ult i64 %c.next, %cell.count
  br i1 %c.more, label %round.cells, label %group

group:
  %g = phi i64 [ 0, %round.cells ], [ %g.next, %group.end ]
  %first = mul i64 %g, 16
  br label %row

row:
  %r = phi i64 [ 0, %group ], [ %r.next, %row.end ]
  %row.at = mul i64 %r, %slots
  %cells = getelementptr %Cell, ptr %rows, i64 %row.at
  %sum.at = mul i64 %r, %sums_per_row
  %sum = getelementptr double, ptr %sums, i64 %sum.at
  br label %start

start:                                       ; at = the roots
  %s = phi i64 [ 0, %row ], [ %s.next, %start ]
  %root.at = add i64 %first, %s
  %root.p = getelementptr i32, ptr %roots, i64 %root.at
  %root = load i32, ptr %root.p
  %at.start = getelementptr [16 x i64], ptr %at, i64 0, i64 %s
  %root.wide = zext i32 %root to i64
  store i64 %root.wide, ptr %at.start
  %s.next = add i64 %s, 1
  %s.more = icmp ult i64 %s.next, 16
  br i1 %s.more, label %start, label %level, !llvm.loop !0

level:
  br label %step

step:                                        ; at = left + (cell > threshold)
  %k = phi i64 [ 0, %level ], [ %k.next, %step ]
  %links = phi i32 [ 0, %level ], [ %links.next, %step ]
  %at.step = getelementptr [16 x i64], ptr %at, i64 0, i64 %k
  %here = load i64, ptr %at.step
  %threshold.p = getelementptr %Node, ptr %nodes, i64 %here, i32 0
  %threshold = load %Cell, ptr %threshold.p
  %link.p = getelementptr %Node, ptr %nodes, i64 %here, i32 1
  %link = load i32, ptr %link.p
  %slot = and i32 %link, %slot.mask
  %slot.wide = zext i32 %slot to i64
  %cell.p = getelementptr %Cell, ptr %cells, i64 %slot.wide
  %cell = load %Cell, ptr %cell.p
  %above = fcmp ugt %Cell %cell, %threshold ; NaN counts as above
  %right = zext i1 %above to i64
  %distance = lshr i32 %link, %slot_bits
  %distance.wide = zext i32 %distance to i64
  %left = add i64 %here, %distance.wide
  %next = add i64 %left, %right
  store i64 %next, ptr %at.step
  %links.next = or i32 %links, %link
  %k.next = add i64 %k, 1
  %k.more = icmp ult i64 %k.next, 16
  br i1 %k.more, label %step, label %level.end, !llvm.loop !0

level.end:                                   ; all are at leaves when each distance was 0
  %moved = icmp ugt i32 %links.next, %slot.mask
  br i1 %moved, label %level, label %tree

tree:                                        ; one after another, as the pyfunc model adds them
  %t = phi i64 [ 0, %level.end ], [ %t.next, %tree.end ]
  %at.tree = getelementptr [16 x i64], ptr %at, i64 0, i64 %t
  %end = load i64, ptr %at.tree
  %place.p = getelementptr %Node, ptr %nodes, i64 %end
  %place = load i32, ptr %place.p
  %place.wide = zext i32 %place to i64
  %value.at = mul i64 %place.wide, %leaf_width
  %value.first = getelementptr double, ptr %leaf_values, i64 %value.at
  %target.at = add i64 %first, %t
  %target.p = getelementptr i32, ptr %targets, i64 %target.at
  %target = load i32, ptr %target.p
  %target.wide = zext i32 %target to i64
  %sum.first = getelementptr double, ptr %sum, i64 %target.wide
  br label %add

add:
  %w = phi i64 [ 0, %tree ], [ %w.next, %add.end ]
  %value.p = getelementptr double, ptr %value.first, i64 %w
  %value = load double, ptr %value.p
  %sum.p = getelementptr double, ptr %sum.first, i64 %w
  %before = load double, ptr %sum.p
  %exact = fadd double %before, %value
  br i1 %round.sums, label %round, label %add.end

round:
  %single = fptrunc double %exact to float
  %rounded = fpext float %single to double
  br label %add.end

add.end:
  %after = phi double [ %exact, %add ], [ %rounded, %round ]
  store double %after, ptr %sum.p
  %w.next = add i64 %w, 1
  %w.more = icmp ult i64 %w.next, %leaf_width
  br i1 %w.more, label %add, label %tree.end

tree.end:
  %t.next = add i64 %t, 1
  %t.more = icmp ult i64 %t.next, 16
  br i1 %t.more, label %tree, label %row.end

row.end:
  %r.next = add i64 %r, 1
  %r.more = icmp ult i64 %r.next, %count
  br i1 %r.more, label %row, label %group.end

group.end:
  %g.next = add i64 %g, 1
  %g.more = icmp ult i64 %g.next, %groups
  br i1 %g.more, label %group, label %end.all

end.all:
  ret void
}

!0 = distinct !{!0, !1}
!1 = !{!"llvm.loop.unroll.full"}
