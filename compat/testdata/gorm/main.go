// What a Go program sees through GORM. It prints everything; what is printed must be the same on
// every server. Arguments: DSN. Through Sluice members is sharded by id, posts by member_id.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"gorm.io/driver/mysql"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

type Member struct {
	ID      uint64 `gorm:"primaryKey"`
	Name    string `gorm:"size:60;index"`
	Email   *string
	Credit  float64 `gorm:"type:decimal(12,3)"`
	Born    time.Time
	Active  bool
	Posts   []Post
	Deleted gorm.DeletedAt `gorm:"index"`
}

type Post struct {
	MemberID uint64 `gorm:"primaryKey;autoIncrement:false"`
	PostID   uint64 `gorm:"primaryKey;autoIncrement:false"`
	Title    string `gorm:"size:100"`
	Member   *Member
}

type Note struct {
	ID   int
	Note string
}

func say(what string, value any, err error) {
	if err != nil {
		fmt.Println(what+" fails:", err)
		return
	}
	b, _ := json.Marshal(value)
	fmt.Println(what+":", string(b))
}

func main() {
	db, err := gorm.Open(mysql.Open(os.Args[1]), &gorm.Config{Logger: logger.Discard, DisableForeignKeyConstraintWhenMigrating: true, TranslateError: true, PrepareStmt: len(os.Args) > 2})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	db.Migrator().DropTable(&Post{}, &Member{}, &Note{})
	say("migrate", nil, db.AutoMigrate(&Member{}, &Post{}, &Note{}))
	say("migrate again", nil, db.AutoMigrate(&Member{}, &Post{}, &Note{}))
	types, err := db.Migrator().ColumnTypes(&Member{})
	for _, c := range types {
		length, _ := c.Length()
		null, _ := c.Nullable()
		key, _ := c.PrimaryKey()
		full, _ := c.ColumnType()
		say("column "+c.Name(), []any{c.DatabaseTypeName(), length, null, key, full}, err)
	}
	indexes, err := db.Migrator().GetIndexes(&Member{})
	for _, i := range indexes {
		say("index "+i.Name(), i.Columns(), err)
	}
	say("has", []bool{db.Migrator().HasTable("members"), db.Migrator().HasColumn(&Member{}, "credit"), db.Migrator().HasIndex(&Member{}, "idx_members_name"), db.Migrator().HasTable("nowhere")}, nil)
	born := time.Date(2001, 2, 3, 4, 5, 6, 7000000, time.UTC)
	var members []Member
	for id := uint64(1); id <= 8; id++ {
		m := Member{ID: id, Name: fmt.Sprint("m", id, " '\"\\ 😀"), Credit: float64(id) * 1.5, Born: born, Active: id%2 == 0}
		for n := uint64(1); n <= id%3; n++ {
			m.Posts = append(m.Posts, Post{PostID: n, Title: fmt.Sprint("p", id, n)})
		}
		members = append(members, m)
	}
	r := db.Create(&members)
	say("create", r.RowsAffected, r.Error)
	r = db.CreateInBatches([]Note{{Note: "a"}, {Note: "b"}, {Note: "c"}}, 2)
	say("notes", r.RowsAffected, r.Error)
	auto := Member{Name: "auto", Born: born}
	r = db.Create(&auto)
	say("an id", auto.ID > 8, r.Error)
	say("gone", db.Unscoped().Delete(&auto).RowsAffected, nil)
	var one Member
	say("first", one, db.Preload("Posts").First(&one, 4).Error)
	say("preloaded", one, nil)
	var all []Member
	err = db.Preload("Posts", func(tx *gorm.DB) *gorm.DB { return tx.Order("post_id") }).Where("id IN ?", []int{1, 2, 5}).Order("id").Find(&all).Error
	say("find", all, err)
	var names []string
	say("pluck", names, db.Model(&Member{}).Where("credit > ?", 4).Order("id DESC").Limit(3).Offset(1).Pluck("name", &names).Error)
	say("names", names, nil)
	var count int64
	err = db.Model(&Member{}).Where("active = ?", true).Count(&count).Error
	say("count", count, err)
	var sums []struct {
		Active bool
		N      int
		Credit float64
	}
	err = db.Model(&Member{}).Select("active, COUNT(*) AS n, SUM(credit) AS credit").Group("active").Order("active").Scan(&sums).Error
	say("group", sums, err)
	var joined []Post
	err = db.Joins("Member").Where("posts.title LIKE ?", "p%1").Order("posts.member_id").Find(&joined).Error
	say("joins", joined, err)
	say("not found", nil, db.First(&Member{}, 999).Error)
	err = db.Create(&Member{ID: 1, Name: "twice", Born: born}).Error
	say("duplicate", errors.Is(err, gorm.ErrDuplicatedKey), nil)
	r = db.Model(&Member{}).Where("id = ?", 3).Updates(map[string]any{"name": "three", "credit": gorm.Expr("credit + ?", 2)})
	say("updates", r.RowsAffected, r.Error)
	r = db.Model(&Member{}).Where("id < ?", 4).Update("active", true)
	say("update of several", r.RowsAffected, r.Error)
	r = db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Member{ID: 2, Name: "upserted", Born: born})
	say("upsert", r.RowsAffected > 0, r.Error)
	r = db.Save(&Member{ID: 5, Name: "saved", Born: born})
	say("save", r.RowsAffected, r.Error)
	fresh := Member{}
	r = db.Where(Member{ID: 70}).Attrs(Member{Name: "seventy", Born: born}).FirstOrCreate(&fresh)
	say("first or create", fresh.Name, r.Error)
	err = db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&[]Member{{ID: 50, Name: "tx", Born: born}, {ID: 51, Name: "tx", Born: born}, {ID: 52, Name: "tx", Born: born}}).Error; err != nil {
			return err
		}
		tx.SavePoint("here")
		tx.Unscoped().Where("id >= ?", 50).Delete(&Member{})
		tx.RollbackTo("here")
		var n int64
		tx.Model(&Member{}).Where("id >= ?", 50).Count(&n)
		say("inside", n, nil)
		return errors.New("taken back")
	})
	say("transaction", nil, err)
	var locked Member
	err = db.Transaction(func(tx *gorm.DB) error {
		return tx.Clauses(clause.Locking{Strength: "UPDATE"}).First(&locked, 6).Error
	})
	say("locked", locked.Name, err)
	r = db.Delete(&Member{}, []int{6, 7})
	say("soft delete", r.RowsAffected, r.Error)
	db.Unscoped().Model(&Member{}).Where("deleted IS NOT NULL").Count(&count)
	say("soft deleted", count, nil)
	rows, err := db.Model(&Member{}).Where("id < 4").Order("id").Rows()
	for err == nil && rows.Next() {
		var m Member
		say("row", m.ID, db.ScanRows(rows, &m))
		say("scanned", m.Name, nil)
	}
	if err == nil {
		rows.Close()
	}
	say("raw", nil, db.Exec("UPDATE notes SET note = ? WHERE id = ?", "raw", 1).Error)
	say("add column", nil, db.Exec("ALTER TABLE members ADD COLUMN extra INT DEFAULT 5").Error)
	say("drop column", nil, db.Migrator().DropColumn(&Member{}, "extra"))
	all = nil
	err = db.Order("id").Find(&all).Error
	say("all", all, err)
	say("done", true, nil)
}
