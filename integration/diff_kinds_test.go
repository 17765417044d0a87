package integration

// genKinds are what random statements are made of, each as often as its weight says. Whoever
// adds one writes its function into a file of its own and a line here. A function adds pieces
// to r.g, or begins a sequence with r.then.
var genKinds = []struct {
	weight int
	make   func(*generator)
}{
	{24, (*generator).selectRows},
	{12, (*generator).selectGroups},
	{7, (*generator).selectJoin},
	{6, (*generator).selectNested},
	{4, (*generator).selectAggregates},
	{4, (*generator).selectWindow},
	{3, (*generator).selectSet},
	{3, (*generator).selectWith},
	{5, (*generator).selectSubquery},
	{3, (*generator).selectCollated},
	{5, (*generator).selectKeys},
	{2, (*generator).selectUnparsed},
	{2, (*generator).selectFrames},
	{2, (*generator).selectJSON},
	{3, (*generator).selectTypes},
	{2, (*generator).selectParts},
	{3, (*generator).selectPredicates},
	{3, (*generator).selectDeep},
	{2, (*generator).writeJoined},
	{2, (*generator).insertComputed},
	{3, (*generator).insertForms},
	{12, (*generator).insert},
	{10, (*generator).update},
	{5, (*generator).delete},
	{6, (*generator).gatherWrite},
	{4, (*generator).transaction},
	{4, (*generator).session},
	{1, (*generator).block},
	{1, (*generator).temporary},
	{1, (*generator).variables},
	{1, (*generator).lenient},
	{1, (*generator).textPrepared},
	{1, (*generator).diagnostics},
	{1, (*generator).foundRows},
}

// secondKinds are those of the second session, which neither writes nor locks.
var secondKinds = []func(*generator){(*generator).session, (*generator).selectGroups, (*generator).selectRows, (*generator).selectRows, (*generator).selectSubquery}

// then puts statements behind the one that is made now.
func (r *generator) then(makers ...func(*generator)) { r.queue = append(r.queue, makers...) }

// fixed makes one of the texts.
func fixed(texts ...string) func(*generator) {
	return func(r *generator) { r.add(pick(r, texts...)) }
}

// textOnly makes one of the texts, which only the text protocol is asked.
func textOnly(texts ...string) func(*generator) {
	return func(r *generator) {
		r.g.text = true
		r.add(pick(r, texts...))
	}
}

// next makes a statement: a new one, or one that was made before with other values.
func (r *generator) next() *generated {
	if r.repeat > 0 {
		r.repeat--
		return r.again(r.made[len(r.made)-1])
	}
	if len(r.queue) > 0 {
		r.g = new(generated)
		f := r.queue[0]
		r.queue = r.queue[1:]
		f(r)
		return r.g
	}
	if len(r.made) > 0 && r.oneIn(7) {
		return r.again(pick(r, r.made...))
	}
	r.g = &generated{second: r.oneIn(5)}
	if r.g.second {
		secondKinds[r.IntN(len(secondKinds))](r)
	} else {
		r.weighted()(r)
	}
	if len(r.queue) > 0 {
		return r.g // its statements belong together
	}
	if r.made = append(r.made, r.g); r.oneIn(12) {
		r.repeat = 1 + r.IntN(4) // a prepared statement is executed again and again
	}
	return r.g
}

func (r *generator) weighted() func(*generator) {
	total := 0
	for _, k := range genKinds {
		total += k.weight
	}
	n := r.IntN(total)
	for _, k := range genKinds {
		if n -= k.weight; n < 0 {
			return k.make
		}
	}
	return genKinds[0].make
}
