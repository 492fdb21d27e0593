namespace Llama2.Training;

/// <summary>Puts rows together so that they fill sequences well.</summary>
internal static class SequencePacker
{
    /// <summary>Best fit, the longest row first: each goes where the least room is left that it fits into. The same lengths give the same packs.</summary>
    /// <param name="rows">The rows; a pack names them.</param>
    /// <param name="lengthOf">The tokens of a row, at most <paramref name="maximumLength"/>.</param>
    /// <param name="maximumLength">The tokens of a pack.</param>
    public static int[][] Pack(IReadOnlyList<int> rows, Func<int, int> lengthOf, int maximumLength)
    {
        var packs = new List<List<int>>();
        var packsByRoom = new Dictionary<int, Queue<int>>();   // only non-empty ones
        var rooms = new SortedSet<int>();
        foreach (int row in rows.OrderByDescending(lengthOf).ThenBy(row => row))
        {
            int length = lengthOf(row), room = rooms.GetViewBetween(length, maximumLength).Min, pack;
            if (room > 0)                                  // 0 stands for none
            {
                Queue<int> queue = packsByRoom[room];
                pack = queue.Dequeue();
                if (queue.Count == 0)
                {
                    packsByRoom.Remove(room);
                    rooms.Remove(room);
                }
            }
            else
            {
                (pack, room) = (packs.Count, maximumLength);
                packs.Add([]);
            }

            packs[pack].Add(row);
            room -= length;
            if (room > 0)
            {
                rooms.Add(room);
                if (!packsByRoom.TryGetValue(room, out Queue<int>? queue))
                {
                    packsByRoom.Add(room, queue = new());
                }

                queue.Enqueue(pack);
            }
        }

        return [.. packs.Select(pack => pack.ToArray())];
    }
}
