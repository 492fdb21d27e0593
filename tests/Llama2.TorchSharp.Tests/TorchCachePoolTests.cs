using Llama2.Testing;

namespace Llama2.TorchSharp.Tests;

/// <summary>Rows of the pool: sequences grow, move, end and begin, and the pool keeps what it has.</summary>
public class TorchCachePoolTests
{
    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 64)]
    [InlineData(64, 64)]
    [InlineData(65, 128)]
    [InlineData(129, 200)]
    public void RowsFor_Tokens_DoublesUpToTheContext(int tokens, long rows)
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using TorchBackend backend = TestDevice.Load(checkpoint, contextLength: 200);
        Assert.Equal(rows * backend.Info.CacheBytesPerToken, backend.CacheBytes(tokens));
    }

    [Fact]
    public void Forward_SequencesThatComeAndGo_AnswersOfFreshOnes()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using TorchBackend backend = TestDevice.Load(checkpoint), fresh = TestDevice.Load(checkpoint);
        var random = new Random(3);
        List<(KeyValueCache Cache, List<int> Text)> live = [];
        for (int step = 0; step < 200; step++)
        {
            int action = random.Next(10);
            if (action < 2 || live.Count == 0)
            {
                live.Add((backend.CreateCache(), []));
            }
            else if (action == 2)
            {
                int index = random.Next(live.Count);
                live[index].Cache.Dispose();
                live.RemoveAt(index);
                continue;
            }
            else if (action == 3)
            {
                (KeyValueCache cache, List<int> text) = live[random.Next(live.Count)];
                int length = random.Next(text.Count + 1);
                live.Add((cache.Fork(length), text[..length]));
            }
            else if (action == 4)
            {
                (KeyValueCache cache, List<int> text) = live[random.Next(live.Count)];
                int length = random.Next(text.Count + 1);
                cache.Rewind(length);
                text.RemoveRange(length, text.Count - length);
            }

            (KeyValueCache grown, List<int> tokens) = live[random.Next(live.Count)];
            int[] added = [.. Enumerable.Range(0, Math.Min(random.Next(1, 60), 256 - tokens.Count)).Select(_ => random.Next(1, 320))];
            if (added.Length > 0)
            {
                tokens.AddRange(added);
                float[] expected = fresh.Logits(tokens)[^1], actual = backend.Logits(grown, added)[^1];
                Assert.InRange(expected.Zip(actual, (left, right) => Math.Abs(left - right)).Max(), 0, 1e-4f);
            }
        }

        long bytes = backend.PoolBytes;
        live.ForEach(pair => pair.Cache.Dispose());
        KeyValueCache[] again = [.. Enumerable.Range(0, (int)(bytes / backend.CacheBytes(1))).Select(_ => backend.CreateCache())];
        Array.ForEach(again, cache => backend.Logits(cache, [1]));
        Assert.Equal(bytes, backend.PoolBytes);                          // all rows came back, and none is in two places
        Array.ForEach(again, cache => cache.Dispose());
    }

    [Fact]
    public void Forward_OneSequence_GrowsWhereItLies()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using TorchBackend backend = TestDevice.Load(checkpoint);
        using KeyValueCache cache = backend.CreateCache();
        backend.Logits(cache, new int[200]);
        Assert.Equal(backend.CacheBytes(200), cache.ByteSize);
        Assert.Equal(backend.CacheBytes(200), backend.PoolBytes);
        cache.Rewind(1);
        backend.Logits(cache, new int[255]);
        Assert.Equal(backend.CacheBytes(256), backend.PoolBytes);
    }
}
