create table if not exists item(id int primary key, name text, sold bigint default 0);
insert into item(id, name) values (1, 'book'), (2, 'pen') on conflict do nothing;
