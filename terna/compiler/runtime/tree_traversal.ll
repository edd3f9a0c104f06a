; Traverses decision trees with rows and adds up the values of the leaves that they reach.
;
; A row's way down one tree is a chain of branches, half of which the processor predicts wrongly.
; Here eight trees are traversed in step and without a branch: a node's children lie side by side,
; so that the next node is `left + (cell > threshold)`; a leaf is its own left child and its
; threshold is infinite. A group of trees takes as many steps as the deepest of them.

; threshold, slot (which of the row's cells is compared), left child
%Node = type { double, i32, i32 }

; nodes, leaf index (of each node, the row of leaf values), leaf values (leaf width doubles a leaf),
; roots and targets (eight a group; a target is the sum that a tree adds to first), depths (one a
; group), groups, leaf width, slots (doubles a row), sums per row, in float32 (1: round each sum)
%Forest = type { ptr, ptr, ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64 }

; rows: count x slots; sums: count x sums per row, with the base scores in them. No count may be 0.
define void @traverse(ptr noalias readonly %forest, ptr noalias readonly %rows, i64 %count,
                      ptr noalias %sums) {
entry:
  %at = alloca [8 x i32]
  %nodes.p = getelementptr %Forest, ptr %forest, i32 0, i32 0
  %nodes = load ptr, ptr %nodes.p
  %leaf_index.p = getelementptr %Forest, ptr %forest, i32 0, i32 1
  %leaf_index = load ptr, ptr %leaf_index.p
  %leaf_values.p = getelementptr %Forest, ptr %forest, i32 0, i32 2
  %leaf_values = load ptr, ptr %leaf_values.p
  %roots.p = getelementptr %Forest, ptr %forest, i32 0, i32 3
  %roots = load ptr, ptr %roots.p
  %targets.p = getelementptr %Forest, ptr %forest, i32 0, i32 4
  %targets = load ptr, ptr %targets.p
  %depths.p = getelementptr %Forest, ptr %forest, i32 0, i32 5
  %depths = load ptr, ptr %depths.p
  %groups.p = getelementptr %Forest, ptr %forest, i32 0, i32 6
  %groups = load i64, ptr %groups.p
  %leaf_width.p = getelementptr %Forest, ptr %forest, i32 0, i32 7
  %leaf_width = load i64, ptr %leaf_width.p
  %slots.p = getelementptr %Forest, ptr %forest, i32 0, i32 8
  %slots = load i64, ptr %slots.p
  %sums_per_row.p = getelementptr %Forest, ptr %forest, i32 0, i32 9
  %sums_per_row = load i64, ptr %sums_per_row.p
  %in_float32.p = getelementptr %Forest, ptr %forest, i32 0, i32 10
  %in_float32 = load i64, ptr %in_float32.p
  %round.sums = icmp ne i64 %in_float32, 0
  br label %group

group:
  %g = phi i64 [ 0, %entry ], [ %g.next, %group.end ]
  %first = mul i64 %g, 8
  %depth.p = getelementptr i32, ptr %depths, i64 %g
  %depth = load i32, ptr %depth.p
  br label %row

row:
  %r = phi i64 [ 0, %group ], [ %r.next, %row.end ]
  %row.at = mul i64 %r, %slots
  %cells = getelementptr double, ptr %rows, i64 %row.at
  %sum.at = mul i64 %r, %sums_per_row
  %sum = getelementptr double, ptr %sums, i64 %sum.at
  br label %start

start:                                       ; at = the roots
  %s = phi i64 [ 0, %row ], [ %s.next, %start ]
  %root.at = add i64 %first, %s
  %root.p = getelementptr i32, ptr %roots, i64 %root.at
  %root = load i32, ptr %root.p
  %at.start = getelementptr [8 x i32], ptr %at, i64 0, i64 %s
  store i32 %root, ptr %at.start
  %s.next = add i64 %s, 1
  %s.more = icmp ult i64 %s.next, 8
  br i1 %s.more, label %start, label %level, !llvm.loop !0

level:
  %d = phi i32 [ 0, %start ], [ %d.next, %level.end ]
  br label %step

step:                                        ; at = left + (cell > threshold)
  %k = phi i64 [ 0, %level ], [ %k.next, %step ]
  %at.step = getelementptr [8 x i32], ptr %at, i64 0, i64 %k
  %here = load i32, ptr %at.step
  %node = zext i32 %here to i64
  %threshold.p = getelementptr %Node, ptr %nodes, i64 %node, i32 0
  %threshold = load double, ptr %threshold.p
  %slot.p = getelementptr %Node, ptr %nodes, i64 %node, i32 1
  %slot = load i32, ptr %slot.p
  %left.p = getelementptr %Node, ptr %nodes, i64 %node, i32 2
  %left = load i32, ptr %left.p
  %slot.wide = zext i32 %slot to i64
  %cell.p = getelementptr double, ptr %cells, i64 %slot.wide
  %cell = load double, ptr %cell.p
  %above = fcmp ugt double %cell, %threshold ; NaN counts as above
  %right = zext i1 %above to i32
  %next = add i32 %left, %right
  store i32 %next, ptr %at.step
  %k.next = add i64 %k, 1
  %k.more = icmp ult i64 %k.next, 8
  br i1 %k.more, label %step, label %level.end, !llvm.loop !0

level.end:
  %d.next = add i32 %d, 1
  %d.more = icmp ult i32 %d.next, %depth
  br i1 %d.more, label %level, label %tree

tree:                                        ; one after another, as the pyfunc model adds them
  %t = phi i64 [ 0, %level.end ], [ %t.next, %tree.end ]
  %at.tree = getelementptr [8 x i32], ptr %at, i64 0, i64 %t
  %end = load i32, ptr %at.tree
  %end.wide = zext i32 %end to i64
  %place.p = getelementptr i32, ptr %leaf_index, i64 %end.wide
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
  %t.more = icmp ult i64 %t.next, 8
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
