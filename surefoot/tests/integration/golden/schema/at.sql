CREATE TYPE state AS ENUM ('new', 'paid');

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    mail text NOT NULL,
    "full name" text,
    CONSTRAINT customers_mail_key UNIQUE (mail),
    CONSTRAINT customers_pkey PRIMARY KEY (id)
);

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
    customer_id bigint NOT NULL,
    state state DEFAULT 'new'::state NOT NULL,
    note character varying(40),
    CONSTRAINT orders_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE orders IS 'What a customer | <b>wants</b>';
COMMENT ON COLUMN orders.note IS 'In the customer''s `own` words';

ALTER TABLE orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customers(id) ON DELETE CASCADE;

CREATE INDEX ix_orders_state ON orders USING btree (state) WHERE state = 'new'::state;
