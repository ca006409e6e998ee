--- 0001
+++ 0002
@@ -3,7 +3,6 @@
 CREATE TABLE customers (
     id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
     mail text NOT NULL,
-    "full name" text,
     CONSTRAINT customers_mail_key UNIQUE (mail),
     CONSTRAINT customers_pkey PRIMARY KEY (id)
 );
@@ -12,12 +11,23 @@
     id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
     customer_id bigint NOT NULL,
     state state DEFAULT 'new'::state NOT NULL,
-    note character varying(40),
+    note text,
+    euros numeric(12,2),
+    CONSTRAINT orders_euros_check CHECK (euros > 0::numeric),
     CONSTRAINT orders_pkey PRIMARY KEY (id)
 );
 COMMENT ON TABLE orders IS 'What a customer | <b>wants</b>';
 COMMENT ON COLUMN orders.note IS 'In the customer''s `own` words';
 
+CREATE TABLE parcels (
+    id bigint NOT NULL,
+    order_id bigint,
+    sent_at timestamp with time zone,
+    CONSTRAINT parcels_pkey PRIMARY KEY (id)
+);
+
 ALTER TABLE orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customers(id) ON DELETE CASCADE;
 
+ALTER TABLE parcels ADD CONSTRAINT parcels_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(id);
+
 CREATE INDEX ix_orders_state ON orders USING btree (state) WHERE state = 'new'::state;
