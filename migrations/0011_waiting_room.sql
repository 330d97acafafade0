-- An on-sale that is entered through a waiting room, which opens so many minutes before the sale. Null: there is none.
alter table events add column room_minutes integer check (room_minutes >= 0);
