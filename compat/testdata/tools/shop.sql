-- A file for `source`: what a DBA's file does.
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
SET NAMES utf8mb4;
DROP TABLE IF EXISTS members, posts, labels, notes;
CREATE TABLE members (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL, email VARCHAR(100), born DATE, score DOUBLE,
  credit DECIMAL(12,3) NOT NULL DEFAULT 0, kind ENUM('guest','staff') NOT NULL DEFAULT 'guest', raw VARBINARY(20), KEY name (name)) DEFAULT CHARSET=utf8mb4;
CREATE TABLE posts (post_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, member_id INT UNSIGNED NOT NULL, title VARCHAR(100) NOT NULL, body TEXT, KEY (member_id)) DEFAULT CHARSET=utf8mb4;
CREATE TABLE labels (code CHAR(2) NOT NULL PRIMARY KEY, label VARCHAR(40) NOT NULL COMMENT 'its name') DEFAULT CHARSET=utf8mb4 COMMENT='labels of all';
CREATE TABLE notes (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(100), n INT DEFAULT 5) DEFAULT CHARSET=utf8mb4;
INSERT INTO members VALUES (1,'one','one@x','2001-02-03',1.5,'2.345','staff','a'),(2,'two',NULL,NULL,NULL,'0','guest',NULL),(3,'it''s \\ "three"\n','тест 😀','1999-12-31',-1e10,'-5','guest','\'');
INSERT INTO members (name) VALUES ('four'),('five'),('six'),('seven'),('eight'),('nine'),('ten');
INSERT INTO posts (member_id, title, body) VALUES (1,'a','x'),(2,'b','y'),(3,'c',NULL),(4,'d','z'),(5,'e;f','--'),(1,'g','#');
INSERT INTO labels VALUES ('de','Deutsch'),('fr','Français');
INSERT INTO notes (note) VALUES ('n1'),('n2'),('n3');
delimiter //
SELECT 'in another delimiter; really' AS a //
delimiter ;
SELECT COUNT(*), SUM(credit) FROM members;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
