package main

import (
	"fmt"

	"sluice/server"
	"sluice/shard"
	"sluice/topo"
	"sluice/wire"
)

// accounts are the application's users, as the map has them at each login.
type accounts struct{ store *topo.Store }

func (a accounts) Account(name string) (server.Account, bool) {
	u := a.store.Map().User(name)
	if u == nil {
		return server.Account{}, false
	}
	return server.Account{Name: u.Name, Password: u.Password}, true
}

func (a accounts) MayUse(name, schema string) error {
	m := a.store.Map()
	u := m.User(name)
	if schema == "" || shard.IsSystemSchema(schema) && schema == "information_schema" {
		return nil
	}
	if u == nil || !u.May(schema) {
		return &wire.Error{Code: 1044, SQLState: "42000", Message: fmt.Sprintf("Access denied for user '%s'@'%%' to database '%s'", name, schema)}
	}
	if m.Schema(schema) == nil {
		return &wire.Error{Code: 1049, SQLState: "42000", Message: fmt.Sprintf("Unknown database '%s'", schema)}
	}
	return nil
}

// admins are the users of the admin port. It has no databases.
type admins struct{ store *topo.Store }

func (a admins) Account(name string) (server.Account, bool) {
	u := a.store.Map().Admin(name)
	if u == nil {
		return server.Account{}, false
	}
	return server.Account{Name: u.Name, Password: u.Password}, true
}

func (a admins) MayUse(name, schema string) error {
	if schema == "" {
		return nil
	}
	return &wire.Error{Code: 1049, SQLState: "42000", Message: fmt.Sprintf("Unknown database '%s'", schema)}
}
