package exec

import "sluice/router"

// legHeap is a binary heap of legs by their current keys; the smallest is legs[0]. Equal
// keys come in the order of the legs, so that a merge gives the same answer each time.
type legHeap struct {
	legs  []*leg
	specs []router.SortKey
	apart error // two rows are told apart by what servers may not have sorted by
}

func (h *legHeap) less(a, b *leg) bool {
	if c := h.compare(a.keys, b.keys); c != 0 {
		return c < 0
	}
	return a.index < b.index
}

func (h *legHeap) compare(a, b []key) int {
	c := compareKeys(a, b, h.specs)
	if c != 0 && h.apart == nil {
		h.apart = toldApart(a, b, h.specs)
	}
	return c
}

func (h *legHeap) push(l *leg) {
	h.legs = append(h.legs, l)
	for i := len(h.legs) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.less(h.legs[i], h.legs[parent]) {
			return
		}
		h.legs[i], h.legs[parent] = h.legs[parent], h.legs[i]
		i = parent
	}
}

// pop takes the top out.
func (h *legHeap) pop() *leg {
	top := h.legs[0]
	last := len(h.legs) - 1
	h.legs[0] = h.legs[last]
	h.legs = h.legs[:last]
	h.fix()
	return top
}

// fix brings the top, whose keys have changed, to its place.
func (h *legHeap) fix() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h.legs) {
			return
		}
		if right := child + 1; right < len(h.legs) && h.less(h.legs[right], h.legs[child]) {
			child = right
		}
		if !h.less(h.legs[child], h.legs[i]) {
			return
		}
		h.legs[i], h.legs[child] = h.legs[child], h.legs[i]
		i = child
	}
}
