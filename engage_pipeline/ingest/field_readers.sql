-- How the text of a field becomes a value: one macro a kind of column (schema.Kind). NULL = missing; a field that is
-- there but becomes NULL can't be read. The casts alone would take 1.5, 0x10, 1_000, +5 and 1e3 for integers.
CREATE TEMP MACRO read_string(field) AS field;
CREATE TEMP MACRO read_strings(field) AS string_split(field, chr(9));
CREATE TEMP MACRO read_integer(field) AS
    CASE WHEN regexp_full_match(field, '-?[0-9]+') THEN TRY_CAST(field AS BIGINT) END;
CREATE TEMP MACRO read_boolean(field) AS CASE field WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END;
CREATE TEMP MACRO read_integers(field) AS
    CASE
        WHEN regexp_full_match(field, '-?[0-9]+(\t-?[0-9]+)*') THEN TRY_CAST(string_split(field, chr(9)) AS INTEGER[])
    END;
-- An element beyond 32 bits is NULL, which minimum and maximum pass over.
CREATE TEMP MACRO in_vocabulary(tokens) AS
    CASE
        WHEN
            list_min(tokens) >= 0
            AND list_max(tokens) < getvariable('vocabulary_size')
            AND list_count(tokens) = len(tokens)
            THEN tokens
    END;
CREATE TEMP MACRO read_tokens(field) AS in_vocabulary(read_integers(field));
-- Days since 1970-01-01, rounded down, also before it, without overflow; NULL beyond 32 bits.
CREATE TEMP MACRO day_of(seconds) AS
    TRY_CAST(CASE WHEN seconds >= 0 THEN seconds // 86400 ELSE -((-(seconds + 1)) // 86400) - 1 END AS INTEGER);
