CREATE TABLE users (
  user_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  name VARCHAR(100) NOT NULL,
  email VARCHAR(200) NOT NULL,
  country CHAR(2) NOT NULL,
  created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE orders (
  order_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  user_id BIGINT UNSIGNED NOT NULL,
  item VARCHAR(100) NOT NULL,
  amount DECIMAL(10,2) NOT NULL,
  PRIMARY KEY (order_id),
  KEY (user_id)
);
CREATE TABLE countries (code CHAR(2) NOT NULL PRIMARY KEY, name VARCHAR(100) NOT NULL);
CREATE TABLE settings (name VARCHAR(100) NOT NULL PRIMARY KEY, value VARCHAR(200) NOT NULL);
INSERT INTO countries VALUES ('de','Germany'),('fr','France'),('nl','Netherlands'),('pl','Poland'),('es','Spain'),('it','Italy');
INSERT INTO settings VALUES ('currency','EUR'),('theme','light');
