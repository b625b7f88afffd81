-- Which tools of a tunnel's server may be called, as its owner or an admin said it; null: all.
alter table tunnels add column tools text;
