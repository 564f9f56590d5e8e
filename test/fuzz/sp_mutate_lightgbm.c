/*
 * test/fuzz/sp_mutate_lightgbm.c
 *
 * Text of lines "key=value value value", and behind the trees "[key: 1,2]" and
 * a line of JSON.
 */
#include <string.h>

#include "sp_mutate.h"

/* The end of the line or word that begins at start. */
static size_t
end_of(const SpMutation *mutation, size_t start, bool of_word)
{
	while (start < mutation->size && mutation->data[start] != '\n' &&
		   !(of_word && strchr(" =:\t,[]", mutation->data[start]) && mutation->data[start] != 0))
		start++;
	return start;
}

static size_t
start_of_line(const SpMutation *mutation, size_t at)
{
	while (at > 0 && mutation->data[at - 1] != '\n')
		at--;
	return at;
}

/* A word of the line's value, or the line's last word. */
static size_t
some_word(SpMutation *mutation, size_t start, size_t end)
{
	size_t		at = start + sp_mutate_below(mutation, end - start);

	while (at > start && strchr(" =:,[", mutation->data[at - 1]) == NULL)
		at--;
	return at;
}

void
sp_mutate_lightgbm(SpMutation *mutation)
{
	/* half of the time among the first lines, which say most */
	size_t		reach = sp_mutate_below(mutation, 2) == 0 && mutation->size > 1500 ? 1500 : mutation->size;
	size_t		start = start_of_line(mutation, sp_mutate_below(mutation, reach));
	size_t		end = end_of(mutation, start, false);
	size_t		other = start_of_line(mutation, sp_mutate_below(mutation, mutation->size));
	size_t		word;
	size_t		word_end;
	const char *number = sp_mutate_number_text(mutation);

	if (end == start)
		return;
	word = some_word(mutation, start, end);
	word_end = end_of(mutation, word, true);
	switch (sp_mutate_below(mutation, 10))
	{
		case 0:
			sp_mutate_replace(mutation, start, end - start + (end < mutation->size), "", 0);
			break;
		case 1:
			if (end < mutation->size)
				sp_mutate_replace(mutation, start, 0, mutation->data + start, end + 1 - start);
			break;
		case 2:
			sp_mutate_replace(mutation, start, end - start, mutation->data + other,
							  end_of(mutation, other, false) - other);
			break;
		case 3:
			sp_mutate_replace(mutation, word, word_end - word + (word_end < end), "", 0);
			break;
		case 4:
			if (word_end < end)
				sp_mutate_replace(mutation, word, 0, mutation->data + word, word_end + 1 - word);
			break;
		case 5:
			sp_mutate_bytes(mutation, word, word_end - word);
			break;
		case 6:
			sp_mutate_replace(mutation, word, word_end - word, "\"\\u00fc\"", 8);
			break;
		default:
			sp_mutate_replace(mutation, word, word_end - word, number, strlen(number));
			break;
	}
}
