using System.Diagnostics;
using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Tests;

/// <summary>What only shows after many rounds: memory, threads and caches of the whole process.</summary>
[Collection(RunsAlone.Name)]
public class LlamaModelSoakTests
{
    private const int Chats = 64;

    [Fact]
    public async Task Chats_ManyAtOnceWithRandomCancellation_EqualAloneAndNothingLeaks()
    {
        string[] expected = new string[Chats];
        using (var alone = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions { PrefixCacheBytes = 0, MaxConcurrentSequences = 1 }))
        using (IChatClient client = alone.AsIChatClient(leaveOpen: true))
        {
            for (int i = 0; i < Chats; i++)
            {
                expected[i] = (await client.GetResponseAsync(MessagesOf(i), OptionsOf(i))).Text;
            }
        }

        long native = LiveNativeBytes();
        var model = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions { BatchTokens = 32, MaxConcurrentSequences = 12, PrefixCacheBytes = 1 << 20 });
        int cancelled = await Round(seed: 1);
        (long managed, _, int threads) = Measure();
        for (int round = 2; round <= 6; round++)
        {
            cancelled += await Round(round);
            Assert.Equal(0, model.Engine.Loop.Running);
            Assert.InRange(model.Engine.Pool.ByteSize, 0, 1 << 20);
        }

        (long managedAfter, _, int threadsAfter) = Measure();
        Assert.InRange(managedAfter - managed, long.MinValue, 2 << 20);
        Assert.InRange(threadsAfter, 0, threads + 8);
        Assert.NotEqual(0, cancelled);
        model.Dispose();
        Assert.Equal(native, LiveNativeBytes());                         // weights, buffers and every cache

        async Task<int> Round(int seed)
        {
            using IChatClient client = model.AsIChatClient(leaveOpen: true);
            bool[] finished = await Task.WhenAll(Enumerable.Range(0, Chats).Select(i => Task.Run(() => ChatAsync(client, i, seed))));
            return finished.Count(whole => !whole);
        }

        async Task<bool> ChatAsync(IChatClient client, int i, int seed)
        {
            using var cancellation = new CancellationTokenSource();
            int cancelAfter = IsCancelled(i) ? new Random(i * 100 + seed).Next(10) : int.MaxValue;
            string text = "";
            int updates = 0;
            try
            {
                await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(MessagesOf(i), OptionsOf(i), cancellation.Token))
                {
                    text += update.Text;
                    if (++updates > cancelAfter)
                    {
                        await cancellation.CancelAsync();
                    }
                }
            }
            catch (OperationCanceledException)
            {
                Assert.StartsWith(text, expected[i], StringComparison.Ordinal);
                return false;
            }

            Assert.Equal(expected[i], text);                             // also where the end came before the cancellation
            return true;
        }
    }

    [Fact]
    public async Task LoadAndDispose_ManyTimes_MemoryAndThreadsStayFlat()
    {
        using var folder = new TemporaryFolder();
        using (RandomCheckpoint checkpoint = TinyModels.Create(1, TinyModels.Config with { HiddenSize = 256, IntermediateSize = 512, VocabularySize = 2000 }))
        {
            HuggingFaceFolder.Write(checkpoint, folder["model"], WeightFormat.F32);
        }

        long native = LiveNativeBytes();
        await Rounds(20);
        (long managed, long process, int threads) = Measure();
        await Rounds(100);
        (long managedAfter, long processAfter, int threadsAfter) = Measure();
        Assert.Equal(native, LiveNativeBytes());
        Assert.InRange(managedAfter - managed, long.MinValue, 4 << 20);
        Assert.InRange(processAfter - process, long.MinValue, 64 << 20);       // 100 leaked models would be 700 MB
        Assert.InRange(threadsAfter, 0, threads + 8);                          // 100 leaked engines and worker groups would be 200 and more

        async Task Rounds(int count)
        {
            for (int round = 0; round < count; round++)
            {
                using var model = LlamaModel.Load(folder["model"], new LlamaModelOptions { WeightFormat = round % 2 == 0 ? null : WeightFormat.F16 });
                using IChatClient client = model.AsIChatClient(leaveOpen: true);
                ChatResponse response = await client.GetResponseAsync("Hello", new ChatOptions { MaxOutputTokens = 2, Temperature = 0 });
                Assert.Equal(2, response.Usage!.OutputTokenCount);
            }
        }
    }

    private static ChatMessage[] MessagesOf(int i) =>
    [
        new(ChatRole.System, "Answer briefly."),
        new(ChatRole.User, string.Concat(Enumerable.Repeat("word ", i % 7))),
        new(ChatRole.Assistant, "ok"),
        new(ChatRole.User, $"Question {i}"),
    ];

    private static bool IsCancelled(int i) => i % 3 == 0;

    /// <summary>Those that will be cancelled ask for far more than is read by then.</summary>
    private static ChatOptions OptionsOf(int i) => new() { MaxOutputTokens = IsCancelled(i) ? 100 : 4 + i % 20, Temperature = i % 2, Seed = i };

    /// <summary>Counted once finalizers have run, so that what another test left behind is not taken for ours.</summary>
    private static long LiveNativeBytes()
    {
        Collect();
        return AlignedMemory.LiveBytes;
    }

    private static (long Managed, long Process, int Threads) Measure()
    {
        Collect();
        using var process = Process.GetCurrentProcess();
        int ownThreads = process.Threads.Count - ThreadPool.ThreadCount;       // the pool's come and go with the load
        return (GC.GetTotalMemory(forceFullCollection: true), process.PrivateMemorySize64, ownThreads);
    }

    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }
}
