package router

import (
	"cmp"
	"slices"

	"sluice/query"
)

// A CALL, and MariaDB's compound statement outside of a program, leave in the client's session what their statements leave.
// (What triggers and functions do to LAST_INSERT_ID() ends with them, on the servers, too.)

// Inserts tells whether LAST_INSERT_ID() may be another one after them.
func (c *Called) Inserts() bool { return c.Writes || c.InsertID || c.unread || len(c.texts) > 0 }

// Found is what FOUND_ROWS() is after them.
type Found uint8

const (
	FoundBefore  Found = iota // what it was
	FoundThere                // what the connection says
	FoundUnknown              // either: the connection does not know what it was
)

// finds says what FOUND_ROWS() is after text has run, of which c says what it and those that it calls do. UPDATE and DELETE change
// it on MySQL, too, but not always.
func (c *Called) finds(b body, mode query.Mode) Found {
	switch {
	case !c.selects && (mode.MariaDB || c.changes&(updates|deletes) == 0) && !c.unread && len(c.texts) == 0:
		return FoundBefore
	case body{list: append(slices.Clip(b.list), query.Word{Mark: ';'})}.ran(len(b.list)+1, givesRows):
		return FoundThere
	}
	return FoundUnknown
}

// called notes what a CALL of a procedure does.
func (p programs) called(c *Called, name string) {
	c.selects = c.selects || p.words.has("select") // in an argument
	r := p.in.Catalog.Program(cmp.Or(p.stmt.Schema, p.in.Schema)).Routines[name]
	list, _ := query.Words([]byte(r.Body), p.in.Mode.Stored(r.Mode))
	c.Found = c.finds(body{list: list}, p.in.Mode)
	p.plan.Runs = c
}

// compound notes what MariaDB's compound statements do: BEGIN NOT ATOMIC …, IF …, and their like.
func (p programs) compound() error {
	switch first := p.words.at(0); {
	case !p.stmt.Opaque || !p.in.Mode.MariaDB || p.stmt.Kind != query.Other:
		return nil
	case first != "begin" && !slices.Contains(compounds, first):
		return nil
	}
	const what = "a compound statement"
	c := &Called{}
	if called := p.plan.Called; called != nil {
		*c = *called
		c.Sets, c.texts, c.unfit = slices.Clip(c.Sets), slices.Clip(c.texts), ""
	}
	c.fired = what
	text := p.in.SQL[:p.in.Scan.End]
	list, ok := query.Words(text, p.in.Mode)
	b := body{list: list, source: string(text)}
	b.own = b.declared(nil)
	for i := range list {
		b.effects(c, what, i)
		if err := (bodies(p)).forbidden(b, i); err != nil {
			return err
		}
		if b.runsText(i) {
			c.texts = append(c.texts, p.in.Schema)
		}
	}
	if c.unfit != "" {
		return notOverShards(c.unfit+",", "send its statements one by one")
	}
	c.unread = c.unread || !ok
	c.Found = c.finds(b, p.in.Mode)
	p.plan.Runs = c
	return nil
}

// compounds are the words, besides BEGIN, that such a statement begins with.
var compounds = []string{"if", "case", "loop", "while", "repeat", "for"}

// runsText tells whether word i of a program runs a text that it makes.
func (b body) runsText(i int) bool {
	return b.at(i) == "prepare" || b.at(i) == "execute" && b.at(i+1) == "immediate"
}
